import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toStorageError } from './storage-error.ts';

/** Contents, or undefined where there is no such file. Throws HawserError `unavailable`. */
export async function readPrivateFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toStorageError(error, path);
  }
}

/** Replaces the file at once and durably (mode 0600): after a crash it is the old or the new one, never a part. */
export async function writePrivateFile(path: string, content: Uint8Array): Promise<void> {
  await throughTemporary(path, content, (temporary) => rename(temporary, path));
}

/**
 * Contents of the file; where there is none, what `make` gives is written first.
 * Never replaces a file, also when two processes start at the same time: both get the one that was first.
 */
export async function readOrCreatePrivateFile(path: string, make: () => Uint8Array): Promise<Buffer> {
  const found = await readPrivateFile(path);
  if (found !== undefined) return found;
  await throughTemporary(path, make(), async (temporary) => {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(temporary);
  });
  return readFile(path);
}

async function throughTemporary(
  path: string,
  content: Uint8Array,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeSynced(temporary, content);
    await place(temporary);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw toStorageError(error, path);
  }
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the new name itself durable; Windows has no such thing and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
