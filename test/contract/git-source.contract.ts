import { beforeEach, describe, expect, it } from 'vitest';

import type { GitSource, RepositoryAccess } from '#shared/ports/git-source.ts';
import type { TestRepository } from '#test/kit/git-repository.ts';

/** What the suite needs: a Git source that is new, a repository behind it, and its address. */
export interface GitSourceFixture {
  source: GitSource;
  repository: TestRepository;
  access: RepositoryAccess;
  /** The same cache after a restart. */
  reopen(): GitSource;
  /** An address that no repository has. */
  nowhere: RepositoryAccess;
}

/** Every Git source, against a real Git host. */
export function describeGitSource(name: string, open: () => Promise<GitSourceFixture>): void {
  describe(`git source: ${name}`, () => {
    let fixture: GitSourceFixture;
    beforeEach(async () => {
      fixture = await open();
    });

    async function read(path: string, revision = 'main'): Promise<string | undefined> {
      const { source, access } = fixture;
      const tree = await source.open(access, (await source.resolve(access, revision)).commit);
      const entry = await tree.entry(path);
      if (entry === undefined) return undefined;
      return Buffer.from((await tree.blobs([entry.oid])).get(entry.oid) ?? Buffer.alloc(0)).toString();
    }

    describe('revisions', () => {
      it('resolves HEAD and nothing to the default branch', async () => {
        const commit = fixture.repository.commit({ files: { a: '1' } });
        const { source, access } = fixture;
        expect(await source.resolve(access, 'HEAD')).toEqual({ commit, ref: 'refs/heads/main' });
        expect(await source.resolve(access, '')).toEqual({ commit, ref: 'refs/heads/main' });
      });

      it('resolves branches, tags, annotated tags and full names', async () => {
        const { source, access, repository } = fixture;
        const first = repository.commit({ files: { a: '1' } });
        repository.git('tag', 'light', first);
        repository.git('tag', '-a', 'heavy', '-m', 'a tag', first);
        const second = repository.commit({ branch: 'team/feature', from: first, files: { a: '2' } });
        expect(await source.resolve(access, 'team/feature')).toEqual({
          commit: second,
          ref: 'refs/heads/team/feature',
        });
        expect(await source.resolve(access, 'light')).toEqual({ commit: first, ref: 'refs/tags/light' });
        expect(await source.resolve(access, 'heavy')).toEqual({ commit: first, ref: 'refs/tags/heavy' });
        expect(await source.resolve(access, 'refs/tags/heavy')).toEqual({ commit: first, ref: 'refs/tags/heavy' });
      });

      it('compares full names: a branch and a tag of one name stay apart, and a prefix is no match (NT-11)', async () => {
        const { source, access, repository } = fixture;
        const first = repository.commit({ files: { a: '1' } });
        const second = repository.commit({ branch: 'x', from: first, files: { a: '2' } });
        repository.commit({ branch: 'x-longer', from: first, files: { a: '3' } });
        repository.git('tag', 'x', first);
        expect((await source.resolve(access, 'x')).commit).toBe(second);
        expect((await source.resolve(access, 'refs/tags/x')).commit).toBe(first);
        await expect(source.resolve(access, 'refs/heads/x-long')).rejects.toMatchObject({ code: 'revision-not-found' });
      });

      it('resolves semver ranges to the highest tag', async () => {
        const { source, access, repository } = fixture;
        const commits = ['v1.2.0', '1.10.0', 'v2.0.0-rc.1', 'v2.1.0', 'not-a-version'].map((tag) => {
          const commit = repository.commit({ files: { version: tag } });
          repository.git('tag', tag, commit);
          return commit;
        });
        expect(await source.resolve(access, '1.x')).toEqual({ commit: commits[1], ref: 'refs/tags/1.10.0' });
        expect((await source.resolve(access, '>=1.0.0, <2.1.0')).ref).toBe('refs/tags/1.10.0');
        expect((await source.resolve(access, '>=2.0.0-0 <2.1.0')).ref).toBe('refs/tags/v2.0.0-rc.1');
        expect((await source.resolve(access, '*')).ref).toBe('refs/tags/v2.1.0');
        expect((await source.resolve(access, '2.1.0')).ref).toBe('refs/tags/v2.1.0');
        await expect(source.resolve(access, '>=3')).rejects.toMatchObject({ code: 'revision-not-found' });
      });

      it('takes full commit ids, and short ones of commits that are at hand or that a ref names', async () => {
        const { source, access, repository } = fixture;
        const first = repository.commit({ files: { a: '1' } });
        const second = repository.commit({ files: { a: '2' } });
        expect(await source.resolve(access, first)).toEqual({ commit: first, ref: first });
        expect((await source.resolve(access, second.slice(0, 8))).commit).toBe(second);
        await expect(source.resolve(access, first.slice(0, 8))).rejects.toMatchObject({ code: 'revision-not-found' });
        await source.open(access, first);
        expect((await source.resolve(access, first.slice(0, 8))).commit).toBe(first);
      });

      it('names the nearest refs where there is no such one', async () => {
        fixture.repository.commit({ branch: 'production', files: { a: '1' } });
        fixture.repository.commit({ branch: 'staging', files: { a: '1' } });
        const error = await fixture.source.resolve(fixture.access, 'prodution').catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'revision-not-found', retry: 'never' });
        expect((error as { data: { nearest: string[] } }).data.nearest[0]).toBe('production');
        expect((error as Error).message).toContain('prodution');
      });

      it('says that an empty repository is empty', async () => {
        await expect(fixture.source.resolve(fixture.access, 'main')).rejects.toMatchObject({
          code: 'repository-empty',
        });
        await expect(fixture.source.resolve(fixture.access, 'HEAD')).rejects.toMatchObject({
          code: 'repository-empty',
        });
      });

      it('notices that a branch is gone (NT-11)', async () => {
        const { source, access, repository } = fixture;
        repository.commit({ files: { a: '1' } });
        repository.commit({ branch: 'gone', files: { a: '1' } });
        await source.resolve(access, 'gone');
        repository.git('update-ref', '-d', 'refs/heads/gone');
        await expect(source.resolve(access, 'gone')).rejects.toMatchObject({ code: 'revision-not-found' });
      });

      it.each(['--upload-pack=touch x', '-x', 'a\nb', 'a\u0000b', 'x'.repeat(300)])(
        'refuses %j as a revision (NT-25)',
        async (revision) => {
          fixture.repository.commit({ files: { a: '1' } });
          await expect(fixture.source.resolve(fixture.access, revision)).rejects.toMatchObject({
            code: 'invalid-input',
          });
        },
      );
    });

    describe('trees', () => {
      it('lists folders, types and modes, and follows no link', async () => {
        const { source, access, repository } = fixture;
        const commit = repository.commit({
          files: {
            'dir/b.yaml': 'b',
            'dir/a.sh': { executable: '#!/bin/sh' },
            link: { link: 'dir' },
            'dir.txt': 'x',
            module: { submodule: '1'.repeat(40) },
          },
        });
        const tree = await source.open(access, commit);
        expect((await tree.list('')).map(({ path, type }) => `${path}:${type}`)).toEqual([
          'dir:tree',
          'dir.txt:blob',
          'link:link',
          'module:submodule',
        ]);
        expect((await tree.list('dir')).map(({ path, executable }) => `${path}:${executable}`)).toEqual([
          'dir/a.sh:true',
          'dir/b.yaml:false',
        ]);
        expect(await tree.entry('')).toMatchObject({ type: 'tree', oid: tree.rootOid });
        expect(await tree.entry('link/b.yaml')).toBeUndefined();
        expect(await tree.entry('dir/none')).toBeUndefined();
        expect(await tree.entry('../dir')).toBeUndefined();
        await expect(tree.list('dir/b.yaml')).rejects.toMatchObject({ code: 'path-not-found' });
      });

      it('reads who made the commit, whatever its encoding, and cuts long messages at 4 KiB', async () => {
        const { source, access, repository } = fixture;
        const long = `Überschrift\n\n${'ü'.repeat(5000)}`;
        const commit = repository.commit({
          files: { a: '1' },
          author: 'Jörg Müller <joerg@example.com>',
          time: 1_700_000_000,
          message: long,
        });
        const info = (await source.open(access, commit)).commit;
        expect(info).toMatchObject({
          sha: commit,
          author: 'Jörg Müller',
          email: 'joerg@example.com',
          time: '2023-11-14T22:13:20.000Z',
        });
        expect(Buffer.byteLength(info.message)).toBeLessThanOrEqual(4096);
        expect(info.message.startsWith('Überschrift\n\nüü')).toBe(true);
        expect(info.message).not.toContain('\uFFFD');
      });

      it('reads files by id, several at once', async () => {
        const { source, access, repository } = fixture;
        const files = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, `content ${index}`]));
        const tree = await source.open(access, repository.commit({ files }));
        const entries = await tree.list('');
        const contents = await tree.blobs(entries.map(({ oid }) => oid));
        for (const { path, oid } of entries)
          expect(Buffer.from(contents.get(oid) ?? Buffer.alloc(0)).toString()).toBe(files[path]);
      });

      it('says that a commit does not exist', async () => {
        fixture.repository.commit({ files: { a: '1' } });
        await expect(fixture.source.open(fixture.access, 'a'.repeat(40))).rejects.toMatchObject({
          code: 'revision-not-found',
        });
      });
    });

    describe('change', () => {
      it('sees new content after every push', async () => {
        for (let round = 0; round < 5; round += 1) {
          fixture.repository.commit({ files: { 'a/b/c.yaml': `round ${round}` } });
          expect(await read('a/b/c.yaml')).toBe(`round ${round}`);
        }
      });

      it('names the files that differ between two commits', async () => {
        const { source, access, repository } = fixture;
        const from = repository.commit({
          files: { 'a/1': 'x', 'a/2': 'x', 'b/1': 'x', 'c/d/e': 'x', mode: 'x', turns: 'x' },
        });
        await source.open(access, from);
        const to = repository.commit({
          files: { 'a/2': 'y', 'b/1': null, 'new/1': 'z', mode: { executable: 'x' }, turns: null, 'turns/folder': 'x' },
        });
        const tree = await source.open(access, to);
        expect(await source.changedPaths(access, from, tree)).toEqual([
          'a/2',
          'b/1',
          'mode',
          'new/1',
          'turns',
          'turns/folder',
        ]);
        expect(await source.changedPaths(access, to, tree)).toEqual([]);
        expect(await source.changedPaths(access, 'b'.repeat(40), tree)).toBeUndefined();
      });

      it('fetches only what changed', async () => {
        const { source, repository } = fixture;
        const files = Object.fromEntries(
          Array.from({ length: 400 }, (_, index) => [`apps/app-${index % 40}/f${index}.yaml`, `value: ${index}`]),
        );
        repository.commit({ files });
        await read('apps/app-1/f1.yaml');
        const before = source.bytesFetched();
        repository.commit({ files: { 'apps/app-7/f7.yaml': 'value: changed' } });
        expect(await read('apps/app-7/f7.yaml')).toBe('value: changed');
        expect(source.bytesFetched() - before).toBeLessThan(2500);
      });

      it('fetches nothing for a commit that it has', async () => {
        const { source, access, repository } = fixture;
        const commit = repository.commit({ files: { a: '1' } });
        await source.open(access, commit);
        const before = source.bytesFetched();
        await source.open(access, commit);
        expect(source.bytesFetched()).toBe(before);
      });

      it('shares one fetch among concurrent callers (FT-26)', async () => {
        const { source, access, repository } = fixture;
        const files = Object.fromEntries(
          Array.from({ length: 300 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`]),
        );
        const commit = repository.commit({ files });
        await source.resolve(access, 'main');
        const start = source.bytesFetched();
        await source.open(access, commit);
        const alone = source.bytesFetched() - start;
        const next = repository.commit({ files: { 'd1/f': 'changed' } });
        const before = source.bytesFetched();
        const trees = await Promise.all(Array.from({ length: 20 }, () => source.open(access, next)));
        expect(source.bytesFetched() - before).toBeLessThan(alone);
        expect(new Set(trees.map(({ rootOid }) => rootOid)).size).toBe(1);
      });

      it('follows a force push, also to a history that shares nothing (FT-21)', async () => {
        const { repository } = fixture;
        repository.commit({ files: { a: 'old', 'deep/er/x': '1' } });
        expect(await read('a')).toBe('old');
        repository.commit({ orphan: true, files: { a: 'new' } });
        expect(await read('a')).toBe('new');
        expect(await read('deep/er/x')).toBeUndefined();
      });

      it('goes on when the host has forgotten the commits that it had (FT-21)', async () => {
        const { repository } = fixture;
        repository.commit({ files: { a: 'old', 'same/x': '1' } });
        expect(await read('a')).toBe('old');
        repository.commit({ orphan: true, files: { a: 'new', 'same/x': '1' } });
        repository.git('reflog', 'expire', '--all', '--expire=now');
        repository.git('gc', '--prune=now', '--quiet');
        expect(await read('a')).toBe('new');
        expect(await read('same/x')).toBe('1');
      });

      it('finds trees that an older commit had and the newest one lacked: a revert', async () => {
        const { repository, source } = fixture;
        const files = { 'old/deep/er/a.yaml': 'a', 'old/deep/er/b.yaml': 'b', other: '1' };
        repository.commit({ files });
        repository.commit({ files: { 'old/deep/er/a.yaml': null, 'old/deep/er/b.yaml': null } });
        // Only the commit without the folder is ever seen.
        expect(await read('other')).toBe('1');
        repository.git('repack', '-adbq');
        repository.commit({ files });
        expect(await read('old/deep/er/b.yaml')).toBe('b');
        expect(source.bytesFetched()).toBeGreaterThan(0);
      });

      it('takes the difference, not the history, when a branch is merged', { timeout: 30_000 }, async () => {
        const { repository, source } = fixture;
        const first = repository.commit({ files: { 'a/1': '1', 'b/1': '1' } });
        for (let index = 0; index < 200; index += 1) repository.commit({ files: { 'a/1': `${index}` } });
        expect(await read('a/1')).toBe('199');
        const side = repository.commit({ branch: 'side', from: first, files: { 'b/1': 'from the side' } });
        const before = source.bytesFetched();
        repository.commit({ merge: [side], files: { 'b/1': 'from the side' } });
        expect(await read('b/1')).toBe('from the side');
        expect(source.bytesFetched() - before).toBeLessThan(4000);
      });

      it(
        'opens an older commit after a newer one, without the history between or before',
        { timeout: 30_000 },
        async () => {
          const { repository, source, access } = fixture;
          const commits = Array.from({ length: 200 }, (_, index) =>
            repository.commit({ files: { [`apps/app-${index % 20}/a.yaml`]: `${Math.sin(index)}`.repeat(20) } }),
          );
          const start = source.bytesFetched();
          const newest = await source.open(access, commits[199] ?? '');
          const alone = source.bytesFetched() - start;

          const older = await source.open(access, commits[190] ?? '');

          expect(source.bytesFetched() - start).toBeLessThan(3 * alone);
          expect(await source.changedPaths(access, commits[190] ?? '', newest)).toHaveLength(9);
          expect((await older.list('apps')).length).toBe(20);
        },
      );

      it('keeps several branches at hand', async () => {
        const { repository, source } = fixture;
        const first = repository.commit({ files: { a: 'main' } });
        repository.commit({ branch: 'dev', from: first, files: { a: 'dev' } });
        repository.commit({ branch: 'prod', from: first, files: { a: 'prod' } });
        expect([await read('a'), await read('a', 'dev'), await read('a', 'prod')]).toEqual(['main', 'dev', 'prod']);
        const commits = repository.git('rev-parse', 'main', 'dev', 'prod').split('\n');
        const before = source.bytesFetched();
        for (const commit of commits) await source.open(fixture.access, commit);
        expect(source.bytesFetched()).toBe(before);
      });
    });

    describe('cache', () => {
      it('goes on from what it had after a restart', async () => {
        const { repository, source, access } = fixture;
        const commit = repository.commit({ files: { 'a/b': '1', c: '2' } });
        await read('a/b');
        await source.open(access, commit);
        const fetchedAgain = async (): Promise<number> => {
          const restarted = fixture.reopen();
          const tree = await restarted.open(access, commit);
          const oid = (await tree.entry('a/b'))?.oid ?? '';
          expect(Buffer.from((await tree.blobs([oid])).get(oid) ?? Buffer.alloc(0)).toString()).toBe('1');
          return restarted.bytesFetched();
        };
        // What was fetched is kept behind the answer.
        await expect.poll(fetchedAgain, { timeout: 10_000 }).toBe(0);
      });

      it('stays correct over many pushes, with commits in between that nobody opens', { timeout: 60_000 }, async () => {
        const { repository } = fixture;
        for (let round = 0; round < 70; round += 1) {
          repository.commit({ files: { [`d${round % 7}/f${round % 13}`]: `round ${round}` } });
          if (round % 3 === 0) repository.commit({ files: { [`d${(round + 3) % 7}/g`]: `skipped ${round}` } });
          if (round % 10 === 5) repository.commit({ files: { [`d${round % 7}/f${round % 13}`]: null } });
          const tree = await fixture.source.open(
            fixture.access,
            (await fixture.source.resolve(fixture.access, 'main')).commit,
          );
          const listed: string[] = [];
          for (const folder of await tree.list(''))
            for (const file of await tree.list(folder.path)) listed.push(`${file.oid} ${file.path}`);
          expect(listed.sort()).toEqual(filesOf(repository));
        }
        expect(await read('d6/f4')).toBe('round 69');
      });
    });

    describe('refusal', () => {
      it('says that there is no such repository', async () => {
        await expect(fixture.source.resolve(fixture.nowhere, 'main')).rejects.toMatchObject({
          code: 'repository-auth-failed',
        });
      });
    });
  });
}

function filesOf(repository: TestRepository): string[] {
  return repository.git('ls-tree', '-r', '--format=%(objectname) %(path)', 'main').split('\n').sort();
}
