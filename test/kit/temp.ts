import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own for one test; `await using` removes it, `remove` does so by hand. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'hawser-test-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
