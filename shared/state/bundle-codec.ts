import { HawserError } from '../errors.ts';
import type { RenderBundle, RenderTool } from '../ports/renderer.ts';

/** What stands before the contents: everything but the bytes of the files. */
interface Header {
  format: 1;
  bundles: { path: string; job: RenderTool; files: { path: string; size: number; executable?: boolean }[] }[];
}

/** Packs bundles into one byte string: a length, a JSON header, then the files' bytes in order. Equal bundles give equal bytes. */
export function packBundles(bundles: readonly RenderBundle[]): Uint8Array {
  const header: Header = {
    format: 1,
    bundles: bundles.map(({ path, job, files }) => ({
      path,
      job,
      files: files.map((file) => ({
        path: file.path,
        size: file.content.length,
        ...(file.executable ? { executable: true } : {}),
      })),
    })),
  };
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...bundles.flatMap(({ files }) => files.map((file) => file.content))]);
}

/** The inverse of `packBundles`. Throws `snapshot-invalid` for bytes that it did not make. */
export function unpackBundles(bytes: Uint8Array): RenderBundle[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = buffer.length < 4 ? 0 : buffer.readUInt32BE(0);
  if (headLength === 0 || headLength > buffer.length - 4) throw broken();
  const header = JSON.parse(buffer.subarray(4, 4 + headLength).toString()) as Header;
  if (header.format !== 1) throw broken();
  let at = 4 + headLength;
  const bundles = header.bundles.map(({ path, job, files }) => ({
    path,
    job,
    files: files.map(({ size, ...file }) => {
      const content = buffer.subarray(at, at + size);
      at += size;
      return { ...file, content };
    }),
  }));
  if (at !== buffer.length) throw broken();
  return bundles;
}

function broken(): HawserError {
  return new HawserError('snapshot-invalid', 'a packed input bundle is damaged or of another format');
}
