import type { ErrorCode } from '../../errors.ts';
import type { RenderTool } from '../../ports/renderer.ts';
import type { RenderLimits } from './limits.ts';

/**
 * What travels between the service and a render worker, over stdin and stdout:
 * two 32-bit lengths (big-endian), a JSON header, a body of bytes. Nothing in it is executable and neither side
 * deserialises objects of the other.
 */
export interface RenderRequest {
  /** The job's own directory, which does not exist yet. */
  directory: string;
  path: string;
  job: RenderTool;
  /** In the order in which their contents make up the body. */
  files: { path: string; size: number; executable: boolean }[];
  tools: ToolPaths;
  limits: RenderLimits;
}

/** Absolute paths of the tools. `kustomize` is kustomize's own binary, kubectl's build of it serves when it is absent. */
export interface ToolPaths {
  helm: string;
  kubectl: string;
  kustomize?: string;
}

export type RenderResponse =
  /** The body is the objects, each followed by a line feed. */
  | { ok: true; objects: number; warnings: string[] }
  | { ok: false; code: ErrorCode; message: string; data: Record<string, unknown>; hint?: string };

const prefixSize = 8;

/** The bytes before the body. */
export function frameHead(header: RenderRequest | RenderResponse, bodySize: number): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(prefixSize);
  prefix.writeUInt32BE(json.length, 0);
  prefix.writeUInt32BE(bodySize, 4);
  return Buffer.concat([prefix, json]);
}

/** Header and body, read with a function that fills a buffer completely or answers false at the end of the stream. */
export function readFrame(fill: (buffer: Buffer) => boolean): { header: unknown; body: Buffer } | undefined {
  const prefix = Buffer.alloc(prefixSize);
  if (!fill(prefix)) return undefined;
  const json = Buffer.allocUnsafe(prefix.readUInt32BE(0));
  const body = Buffer.allocUnsafe(prefix.readUInt32BE(4));
  if (!fill(json) || !fill(body)) return undefined;
  return { header: JSON.parse(json.toString()) as unknown, body };
}

/** Collects chunks until one frame is complete. Throws a RangeError when the frame claims more than `limit` bytes. */
export function createFrameCollector(limit: number): {
  add: (chunk: Buffer) => { header: unknown; body: Buffer } | undefined;
} {
  let chunks: Buffer[] = [];
  let received = 0;
  let expected = -1;
  return {
    add: (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (expected < 0 && received >= prefixSize) {
        const start = Buffer.concat(chunks);
        chunks = [start];
        expected = prefixSize + start.readUInt32BE(0) + start.readUInt32BE(4);
        if (expected > limit) throw new RangeError(`a worker's answer of ${expected} bytes`);
      }
      if (expected < 0 || received < expected) return undefined;
      const all = Buffer.concat(chunks);
      const headerEnd = prefixSize + all.readUInt32BE(0);
      const frame = {
        header: JSON.parse(all.subarray(prefixSize, headerEnd).toString()) as unknown,
        body: all.subarray(headerEnd, expected),
      };
      chunks = [];
      received = 0;
      expected = -1;
      return frame;
    },
  };
}
