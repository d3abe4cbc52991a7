import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { RepositoryAccess } from '#shared/ports/git-source.ts';

/**
 * The folder that keeps a repository, once `commit` and what was read of it before that is in it: a Git source writes
 * behind the answer, the list of commits last. Throws when it is not there after ten seconds.
 */
export async function keptFolder(cacheDir: string, access: RepositoryAccess, commit: string): Promise<string> {
  const repository = join(cacheDir, access.organisation, access.repository);
  return vi.waitUntil(
    async () => {
      const [folder = ''] = await readdir(repository).catch(() => []);
      const text = await readFile(join(repository, folder, 'commits.json'), 'utf8').catch(() => '[]');
      return (JSON.parse(text) as string[]).includes(commit) ? join(repository, folder) : undefined;
    },
    { timeout: 10_000, interval: 10 },
  );
}
