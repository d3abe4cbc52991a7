import { readSync, writeSync } from 'node:fs';
import { HawserError, messageOf } from '../../errors.ts';
import { renderInDirectory } from './render-in-directory.ts';
import { frameHead, readFrame, type RenderRequest, type RenderResponse } from './wire.ts';

/**
 * The render worker: a process without credentials, network or environment that answers one request after another.
 * All of it is synchronous on purpose: one job at a time, no state between jobs, and the service that started it
 * ends it (with everything it started) when a limit is passed.
 */
function main(): void {
  for (let frame = readFrame(fill); frame !== undefined; frame = readFrame(fill)) {
    const { response, body } = answer(frame.header as RenderRequest, frame.body);
    write(frameHead(response, body.length));
    write(body);
  }
}

function answer(request: RenderRequest, body: Buffer): { response: RenderResponse; body: Buffer } {
  try {
    const { objects, warnings } = renderInDirectory(request, body);
    const text = objects.length === 0 ? '' : `${objects.join('\n')}\n`;
    return { response: { ok: true, objects: objects.length, warnings }, body: Buffer.from(text) };
  } catch (error) {
    return { response: failure(error), body: Buffer.alloc(0) };
  }
}

function failure(error: unknown): RenderResponse {
  if (!(error instanceof HawserError)) return { ok: false, code: 'internal', message: messageOf(error), data: {} };
  const { code, message, data, hint } = error;
  return hint === undefined ? { ok: false, code, message, data } : { ok: false, code, message, data, hint };
}

function fill(buffer: Buffer): boolean {
  let filled = 0;
  while (filled < buffer.length) {
    const count = retried(() => readSync(0, buffer, filled, buffer.length - filled, null));
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

function write(buffer: Buffer): void {
  let written = 0;
  while (written < buffer.length) written += retried(() => writeSync(1, buffer, written));
}

/** Pipes may be non-blocking where the platform made them so. */
function retried(operation: () => number): number {
  for (;;) {
    try {
      return operation();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

Object.freeze(Object.prototype);
main();
