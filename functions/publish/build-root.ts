import type { Application } from '#shared/domain/application.ts';
import type { SnapshotFlag, SnapshotRoot } from '#shared/domain/snapshot.ts';
import { ownerMark } from '#shared/domain/tracking.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';

/** Chunks are cut at this many bytes of text: small enough to move a change cheaply, large enough to compress well. */
const chunkBytes = 128 * 1024;

/** Cuts object texts into chunk texts, in order; one object is never split. */
export function cutChunks(texts: readonly string[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let current: string[] = [];
  let size = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text) + 1;
    if (size > 0 && size + bytes > chunkBytes) {
      chunks.push(Buffer.from(current.join('\n')));
      current = [];
      size = 0;
    }
    current.push(text);
    size += bytes;
  }
  if (current.length > 0) chunks.push(Buffer.from(current.join('\n')));
  return chunks;
}

/** The content of a root: what a repeat takes over from an older one. */
export type RootContent = Pick<
  SnapshotRoot,
  'chunks' | 'objectCount' | 'totalBytes' | 'flags' | 'inputDigest' | 'revision' | 'commit'
>;

/** Content of a fresh render. */
export function contentOf(
  job: PublishJob,
  texts: readonly string[],
  chunks: readonly Uint8Array[],
  digests: string[],
  flags: SnapshotFlag[],
): RootContent {
  return {
    chunks: digests,
    objectCount: texts.length,
    totalBytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    flags,
    inputDigest: job.inputDigest,
    revision: job.intent.revision,
    ...(job.intent.commit === undefined ? {} : { commit: job.intent.commit }),
  };
}

/** The root of one generation; everything but the content comes from the publisher's own record (INV-09). */
export function buildRoot(
  application: Application,
  job: PublishJob,
  content: RootContent,
  own: { generation: number; dependsOn: SnapshotRoot['dependsOn']; sync?: SnapshotRoot['sync'] },
): SnapshotRoot {
  const repeat = job.result.status === 'repeat' ? job.result : undefined;
  const sync = repeat?.sync ?? own.sync;
  return {
    format: 1,
    organisation: job.organisation,
    cluster: application.cluster,
    application: application.id,
    displayName: application.name,
    kind: application.kind,
    generation: own.generation,
    revision: content.revision,
    ...(content.commit === undefined ? {} : { commit: content.commit }),
    inputDigest: content.inputDigest,
    destinationNamespace: application.destinationNamespace,
    policy: application.policy,
    chunks: content.chunks,
    objectCount: content.objectCount,
    totalBytes: content.totalBytes,
    flags: content.flags,
    ...(sync === undefined ? {} : { sync: definedOnly(sync) }),
    dependsOn: own.dependsOn,
    owner: ownerMark(application.id),
    ...(repeat?.deletion === undefined ? {} : { deletion: repeat.deletion }),
  };
}

/** zod's optional members may be present as undefined; a signed text holds only what is there. */
function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return JSON.parse(JSON.stringify(value)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
