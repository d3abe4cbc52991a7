import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { allApplications, applicationsReading, updateIndex, type FolderListing } from '#functions/plan/closure-index.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const where = { organisation: 'o', repository: 'r', selector: 'HEAD' };
let store: StateStore;

beforeEach(() => {
  store = openMemoryStore();
});

async function list(application: string, after: FolderListing[], before: FolderListing[] = []): Promise<void> {
  await updateIndex(store, where, [{ application, before, after }]);
}

describe('the index from folders to applications', () => {
  it('finds the applications that read in the folder of a changed file', async () => {
    await list('a', [{ path: 'apps/a', recursive: false }]);
    await list('b', [{ path: 'apps/b', recursive: false }, { path: 'base', recursive: false }]);

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
    await list('a', [{ path: 'new', recursive: false }], [{ path: 'old', recursive: false }]);

    expect(await applicationsReading(store, where, ['old/x.yaml'])).toEqual(new Set());
    expect(await allApplications(store, where)).toEqual(new Set(['a']));
  });

  it('survives folders named like members of every object (NT-170)', async () => {
    await list('a', [{ path: '__proto__', recursive: true }, { path: 'constructor', recursive: false }]);

    expect(await applicationsReading(store, where, ['__proto__/x.yaml'])).toEqual(new Set(['a']));
    expect(await applicationsReading(store, where, ['toString/x.yaml'])).toEqual(new Set());
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  it('agrees with a search over everything', async () => {
    const folder = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }).map((parts) => parts.join('/'));
    const listing = fc.record({ path: folder, recursive: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(listing, { maxLength: 3 }), { maxLength: 5 }), folder, async (applications, changed) => {
        store = openMemoryStore();
        const expected = new Set<string>();
        for (const [index, folders] of applications.entries()) {
          await list(`app-${index}`, folders);
          const last = new Map(folders.map((one) => [one.path, one.recursive]));
          for (const [path, recursive] of last) {
            const below = path === '' || changed === path || changed.startsWith(`${path}/`);
            if (changed === path || (recursive && below)) expected.add(`app-${index}`);
          }
        }

        const file = changed === '' ? 'file.yaml' : `${changed}/file.yaml`;
        expect(await applicationsReading(store, where, [file])).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
