import { HawserError } from '#shared/errors.ts';
import type { GitTree } from '#shared/ports/git-source.ts';
import type { Closure } from './find-closure.ts';

/**
 * Fetches the files of many closures of one tree in one request. The answer holds an error for each reader of a file
 * past LIM-06: one large file hurts the applications that read it, and no other of its repository (INV-39).
 * Any other error is thrown.
 */
export async function fetchFiles<Reader>(
  tree: GitTree,
  closures: readonly { reader: Reader; closure: Closure }[],
): Promise<Map<Reader, HawserError>> {
  const refused = new Map<Reader, HawserError>();
  for (;;) {
    const left = closures.filter(({ reader }) => !refused.has(reader));
    try {
      await tree.blobs([...new Set(left.flatMap(({ closure }) => closure.files.map(({ oid }) => oid)))]);
      return refused;
    } catch (error) {
      if (!isTooLargeFile(error)) throw error;
      const large = new Set(error.data['oids'] as string[]);
      const before = refused.size;
      for (const { reader, closure } of left) {
        const file = closure.files.find(({ oid }) => large.has(oid));
        if (file !== undefined) refused.set(reader, tooLargeFile(file.path, error));
      }
      if (refused.size === before) throw error;
    }
  }
}

/** Whether Git refused one file for its size (LIM-06), not the repository for its own. */
export function isTooLargeFile(error: unknown): error is HawserError {
  return error instanceof HawserError && error.code === 'source-too-large' && Array.isArray(error.data['oids']);
}

/** The same refusal, with the name that people know the file by. */
export function tooLargeFile(path: string, error: HawserError): HawserError {
  const { limit, bytes } = error.data;
  return new HawserError('source-too-large', `${path} is larger than ${String(bytes)} bytes (LIM-06)`, {
    data: { limit, bytes, path },
    hint: 'Split it, or keep it out of the folder that the application reads.',
    cause: error,
  });
}
