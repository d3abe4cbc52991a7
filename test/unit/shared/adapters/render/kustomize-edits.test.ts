import { describe, expect, it } from 'vitest';
import { canonicalText, treeOf, type JsonMap } from '#shared/adapters/render/json-tree.ts';
import { editLikeArgo, editLikeFlux, hasKustomizeEdits } from '#shared/adapters/render/kustomize-edits.ts';

const everything = (): boolean => true;
const edited = (file: object, edit: (tree: JsonMap) => void): unknown => {
  const tree = treeOf(file) as JsonMap;
  edit(tree);
  return JSON.parse(canonicalText(tree)) as unknown;
};

describe('edits of a kustomization', () => {
  it('are none where no option says anything', () => {
    expect(hasKustomizeEdits({})).toBe(false);
    expect(hasKustomizeEdits({ namePrefix: '', images: [], commonLabels: {}, forceCommonLabels: true })).toBe(false);
    expect(hasKustomizeEdits({ images: ['a:1'] })).toBe(true);
  });

  it('merge images by name and sort them, keeping what `*` stands for', () => {
    const file = {
      images: [
        { name: 'b', newTag: '1' },
        { name: 'a', newTag: '1', newName: 'x' },
      ],
    };
    expect(
      edited(file, (tree) => editLikeArgo(tree, { images: ['a=*:2', 'c@sha256:1', 'r:5000/d:3'] }, everything)),
    ).toEqual({
      images: [
        { name: 'a', newName: 'x', newTag: '2' },
        { name: 'b', newTag: '1' },
        { name: 'c', digest: 'sha256:1' },
        { name: 'r:5000/d', newTag: '3' },
      ],
    });
    expect(() => editLikeArgo(new Map(), { images: ['nginx'] }, everything)).toThrow(/names no tag/);
  });

  it('append components that exist, once', () => {
    const options = { components: ['a', 'b', 'c'], ignoreMissingComponents: true };
    expect(edited({ components: ['a'] }, (tree) => editLikeArgo(tree, options, (name) => name !== 'c'))).toEqual({
      components: ['a', 'b'],
    });
  });

  it('let Flux’s images change tag and digest together', () => {
    const file = { images: [{ name: 'a', newTag: '1', digest: 'd' }] };
    expect(edited(file, (tree) => editLikeFlux(tree, { images: [{ name: 'a', newName: 'x' }] }, everything))).toEqual({
      images: [{ name: 'a', newName: 'x', newTag: '1', digest: 'd' }],
    });
    expect(
      edited(file, (tree) =>
        editLikeFlux(
          tree,
          {
            images: [
              { name: 'a', newTag: '2' },
              { name: 'b', digest: 'e' },
            ],
          },
          everything,
        ),
      ),
    ).toEqual({
      images: [
        { name: 'a', newTag: '2' },
        { name: 'b', digest: 'e' },
      ],
    });
  });

  it('refuse components of Flux that are not local', () => {
    expect(() => editLikeFlux(new Map(), { components: ['https://x/y'] }, everything)).toThrow(/must be local/);
  });
});
