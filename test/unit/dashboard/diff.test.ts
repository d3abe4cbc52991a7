import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffLines, type DiffLine } from '#dashboard/diff-view/diff-lines.ts';
import { changedPart, splitRows, unifiedRows } from '#dashboard/diff-view/diff-rows.ts';
import { ownedPart } from '#dashboard/diff-view/owned-part.ts';
import { toYaml } from '#dashboard/diff-view/to-text.ts';

const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 14 });
const side = (lines: readonly DiffLine[], kind: 'removed' | 'added') =>
  lines.filter((line) => line.kind === 'same' || line.kind === kind).map((line) => line.text);

/** Length of the longest common subsequence, by the table. */
function common(left: string[], right: string[]): number {
  let above: number[] = Array(right.length + 1).fill(0) as number[];
  for (const one of left) {
    const row = [0];
    for (const [index, other] of right.entries())
      row.push(one === other ? (above[index] ?? 0) + 1 : Math.max(above[index + 1] ?? 0, row[index] ?? 0));
    above = row;
  }
  return above.at(-1) ?? 0;
}

describe('a comparison by line', () => {
  it('holds both sides, in their order, with their numbers, and is the shortest there is', () => {
    fc.assert(
      fc.property(texts, texts, (left, right) => {
        const lines = diffLines(left, right);
        expect([side(lines, 'removed'), side(lines, 'added')]).toEqual([left, right]);
        expect(lines.flatMap((line) => line.left ?? [])).toEqual(left.map((_, index) => index + 1));
        expect(lines.flatMap((line) => line.right ?? [])).toEqual(right.map((_, index) => index + 1));
        expect(lines.filter((line) => line.kind === 'same').length).toBe(common(left, right));
      }),
    );
  });

  it('puts what goes before what comes', () => {
    fc.assert(
      fc.property(texts, texts, (left, right) => {
        const kinds = diffLines(left, right).map((line) => line.kind);
        expect(kinds.join(' ')).not.toContain('added removed');
      }),
    );
  });

  it('gives up on the shortest way, not on the sides, where nearly everything differs', () => {
    const left = Array.from({ length: 4000 }, (_, index) => `left ${index}`);
    const right = Array.from({ length: 4000 }, (_, index) => `right ${index}`);
    const lines = diffLines([...left, 'end'], [...right, 'end']);
    expect([side(lines, 'removed'), side(lines, 'added')]).toEqual([
      [...left, 'end'],
      [...right, 'end'],
    ]);
    expect(lines.at(-1)?.kind).toBe('same');
  });
});

describe('the rows of a comparison', () => {
  const long = Array.from({ length: 40 }, (_, index) => `line ${index}`);
  const lines = diffLines(
    long.map((line) => (line === 'line 20' ? 'old' : line)),
    long.map((line) => (line === 'line 20' ? 'new' : line)),
  );

  it('fold what is equal but for three lines beside a change, and unfold it by its first line', () => {
    const rows = unifiedRows(lines, new Set());
    expect(rows.filter((row) => row.type === 'fold')).toEqual([
      { type: 'fold', id: 0, lines: 17 },
      { type: 'fold', id: 22, lines: 16 },
    ]);
    expect(rows.length).toBe(2 + 3 + 2 + 3);
    expect(unifiedRows(lines, new Set([0])).filter((row) => row.type === 'fold').length).toBe(1);
  });

  it('never fold a change and never lose a line, whichever way they are shown', () => {
    fc.assert(
      fc.property(texts, texts, (left, right) => {
        const compared = diffLines(left, right);
        const unified = unifiedRows(compared, new Set());
        const shown = unified.reduce((sum, row) => sum + (row.type === 'fold' ? row.lines : 1), 0);
        expect(shown).toBe(compared.length);
        const changed = compared.filter((line) => line.kind !== 'same').length;
        const seen = unified.filter((row) => row.type === 'line' && (row.left ?? row.right)?.kind !== 'same').length;
        expect(seen).toBe(changed);
        const halves = splitRows(compared, new Set()).flatMap((row) => (row.type === 'line' ? [row] : []));
        const removed = compared.filter((line) => line.kind === 'removed').length;
        expect(halves.filter((row) => row.left?.kind === 'removed').length).toBe(removed);
        expect(halves.filter((row) => row.right?.kind === 'added').length).toBe(changed - removed);
        expect(halves.every((row) => row.left?.kind !== 'added' && row.right?.kind !== 'removed')).toBe(true);
      }),
    );
  });

  it('face a removed line with the one that came in its place', () => {
    const rows = splitRows(diffLines(['a', 'x', 'y', 'b'], ['a', 'z', 'b']), new Set());
    expect(rows.map((row) => (row.type === 'fold' ? row : [row.left?.text, row.right?.text]))).toEqual([
      ['a', 'a'],
      ['x', 'z'],
      ['y', undefined],
      ['b', 'b'],
    ]);
  });

  it('mark what differs within a line, where enough is shared', () => {
    expect(changedPart('  replicas: 5', '  replicas: 3')).toEqual({ start: 12, leftEnd: 13, rightEnd: 13 });
    expect(changedPart('image: a', 'image: aa')).toEqual({ start: 8, leftEnd: 8, rightEnd: 9 });
    expect(changedPart('  one', '  two')).toBeUndefined();
  });
});

describe('the part of a live object that is compared', () => {
  it('leaves out what only the cluster set, also in lists told apart by their keys', () => {
    const desired = {
      kind: 'Deployment',
      spec: { replicas: 3, containers: [{ name: 'app', image: 'a:1' }], args: ['x'] },
    };
    const running = {
      kind: 'Deployment',
      metadata: { uid: 'u' },
      status: {},
      spec: {
        replicas: 5,
        containers: [
          { name: 'injected', image: 'mesh' },
          { name: 'app', image: 'a:2', imagePullPolicy: 'Always' },
        ],
        args: ['y', 'z'],
      },
    };
    expect(ownedPart(running, desired)).toEqual({
      kind: 'Deployment',
      spec: { replicas: 5, containers: [{ name: 'app', image: 'a:2' }], args: ['y', 'z'] },
    });
  });

  it('keeps what the live object lacks out, so that it shows as to be added, and survives other shapes', () => {
    expect(ownedPart({ a: 1 }, { a: 1, b: 2 })).toEqual({ a: 1 });
    expect(ownedPart({ a: 'text' }, { a: { b: 1 } })).toEqual({ a: 'text' });
    expect(ownedPart(undefined, { a: 1 })).toBeUndefined();
    expect(ownedPart({}, JSON.parse('{"constructor": {"name": 1}}'))).toEqual({});
  });

  it('does not mix up items whose key repeats', () => {
    const twice = [
      { name: 'a', v: 1 },
      { name: 'a', v: 2 },
    ];
    expect(ownedPart(twice, twice)).toEqual(twice);
  });
});

describe('the text of an object', () => {
  it('has its keys in the order people expect, whatever order they came in, and repeats nothing by reference', () => {
    const labels = { b: '2', a: '1' };
    const text = toYaml({
      status: {},
      spec: { z: 1, a: labels, name: 'x' },
      kind: 'K',
      labels,
      metadata: {},
      apiVersion: 'v1',
    });
    expect(text.split('\n').filter((line) => !line.startsWith(' '))).toEqual([
      'apiVersion: v1',
      'kind: K',
      'metadata: {}',
      'spec:',
      'labels:',
      'status: {}',
    ]);
    expect(text).not.toMatch(/[&*]a1/);
    expect([toYaml(undefined), toYaml(null)]).toEqual(['', '']);
  });

  it('does not wrap long lines, which would differ by where they wrap', () => {
    expect(toYaml({ text: 'word '.repeat(60).trim() }).split('\n').length).toBe(1);
  });
});
