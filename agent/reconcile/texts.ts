import { gunzipSync } from 'node:zlib';
import { HawserError } from '#shared/errors.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { AppRuntime } from './runtime.ts';
import type { DesiredObject } from './model.ts';

/** Unpacked chunks that were used last; desired objects are otherwise kept compressed. */
export interface Texts {
  /** The object's own JSON text, as it was signed. */
  textOf(app: Pick<AppRuntime, 'root' | 'chunks'>, object: DesiredObject): string;
  objectOf(app: Pick<AppRuntime, 'root' | 'chunks'>, object: DesiredObject): KubeObject;
}

const chunksKept = 8;

/** Creates the cache; one for all applications. */
export function createTexts(): Texts {
  const cache = new Map<string, string[]>();

  function linesOf(app: Pick<AppRuntime, 'root' | 'chunks'>, chunk: number): string[] {
    const digest = app.root.chunks[chunk] ?? '';
    let lines = cache.get(digest);
    if (lines === undefined) {
      const packed = app.chunks.get(digest);
      if (packed === undefined) throw new HawserError('internal', `chunk ${digest} is not held`, { retry: 'later' });
      lines = gunzipSync(packed).toString('utf8').split('\n');
    }
    // Last used goes to the end; the first is the oldest.
    cache.delete(digest);
    cache.set(digest, lines);
    for (const oldest of cache.keys()) {
      if (cache.size <= chunksKept) break;
      cache.delete(oldest);
    }
    return lines;
  }

  const textOf: Texts['textOf'] = (app, object) => linesOf(app, object.chunk)[object.line] ?? '';
  return { textOf, objectOf: (app, object) => JSON.parse(textOf(app, object)) as KubeObject };
}
