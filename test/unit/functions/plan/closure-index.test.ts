import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  allApplications,
  applicationsReading,
  listFolders,
  unlistFolders,
  type FolderListing,
  type FormerFolder,
} from '#functions/plan/closure-index.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const where = { organisation: 'o', repository: 'r', selector: 'HEAD' };
let store: StateStore;

beforeEach(() => {
  store = openMemoryStore();
});

async function list(application: string, folders: FolderListing[]): Promise<void> {
  await listFolders(store, where, [{ application, folders }]);
}

async function unlist(application: string, folders: FormerFolder[], current = true): Promise<void> {
  await unlistFolders(store, where, [{ application, folders }], async (ids) => new Set(current ? ids : []));
}

describe('the index from folders to applications', () => {
  it('finds the applications that read in the folder of a changed file', async () => {
    await list('a', [{ path: 'apps/a', recursive: false }]);
    await list('b', [
      { path: 'apps/b', recursive: false },
      { path: 'base', recursive: false },
    ]);

    expect(await applicationsReading(store, where, ['apps/a/values.yaml'])).toEqual(new Set(['a']));
    expect(await applicationsReading(store, where, ['base/deployment.yaml'])).toEqual(new Set(['b']));
    expect(await applicationsReading(store, where, ['docs/readme.md'])).toEqual(new Set());
  });

  it('finds recursive readers for files far below, and direct readers only for their own folder', async () => {
    await list('deep', [{ path: 'manifests', recursive: true }]);
    await list('flat', [{ path: 'manifests', recursive: false }]);

    expect(await applicationsReading(store, where, ['manifests/x/y/z.yaml'])).toEqual(new Set(['deep']));
    expect(await applicationsReading(store, where, ['manifests/z.yaml'])).toEqual(new Set(['deep', 'flat']));
  });

  it('forgets folders that an application reads no more', async () => {
    await list('a', [{ path: 'old', recursive: false }]);
    await list('a', [{ path: 'new', recursive: false }]);
    await unlist('a', [{ path: 'old', direct: false }]);

    expect(await applicationsReading(store, where, ['old/x.yaml'])).toEqual(new Set());
    expect(await allApplications(store, where)).toEqual(new Set(['a']));
  });

  it('leaves entries alone that belong to a later plan by now', async () => {
    await list('a', [{ path: 'old', recursive: true }]);
    await unlist('a', [{ path: 'old', direct: false }], false);

    expect(await applicationsReading(store, where, ['old/deep/x.yaml'])).toEqual(new Set(['a']));
  });

  it('goes on reading a folder directly where it reads it recursively no more', async () => {
    await list('a', [{ path: 'base', recursive: true }]);
    await list('a', [{ path: 'base', recursive: false }]);
    expect(await applicationsReading(store, where, ['base/deep/x.yaml'])).toEqual(new Set(['a']));

    await unlist('a', [{ path: 'base', direct: true }]);
    expect(await applicationsReading(store, where, ['base/deep/x.yaml'])).toEqual(new Set());
    expect(await applicationsReading(store, where, ['base/x.yaml'])).toEqual(new Set(['a']));
  });

  it('survives folders named like members of every object (NT-170)', async () => {
    await list('a', [
      { path: '__proto__', recursive: true },
      { path: 'constructor', recursive: false },
    ]);

    expect(await applicationsReading(store, where, ['__proto__/x.yaml'])).toEqual(new Set(['a']));
    expect(await applicationsReading(store, where, ['toString/x.yaml'])).toEqual(new Set());
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  it('agrees with a search over everything', async () => {
    const folder = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }).map((parts) => parts.join('/'));
    const listing = fc.record({ path: folder, recursive: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(listing, { maxLength: 3 }), { maxLength: 5 }),
        folder,
        async (applications, changed) => {
          store = openMemoryStore();
          const expected = new Set<string>();
          for (const [index, folders] of applications.entries()) {
            await list(`app-${index}`, folders);
            const last = new Map<string, boolean>();
            for (const one of folders) last.set(one.path, one.recursive || last.get(one.path) === true);
            for (const [path, recursive] of last) {
              const below = path === '' || changed === path || changed.startsWith(`${path}/`);
              if (changed === path || (recursive && below)) expected.add(`app-${index}`);
            }
          }

          const file = changed === '' ? 'file.yaml' : `${changed}/file.yaml`;
          expect(await applicationsReading(store, where, [file])).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });
});
