import { createHash } from 'node:crypto';
import { accessSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { openJobsFolder } from '#shared/adapters/render/jobs-folder.ts';
import { defaultLimits } from '#shared/adapters/render/limits.ts';
import {
  createLoneRenderer,
  failureOf,
  NotCleanError,
  type LoneOutcome,
} from '#shared/adapters/render/lone-renderer.ts';
import { HawserError } from '#shared/errors.ts';
import type { SandboxAnswer, SandboxBundle, SandboxRequest } from '#shared/messages/render-sandbox.ts';
import { sandboxPayloadLimit } from '#shared/domain/render-payload.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, RenderTool } from '#shared/ports/renderer.ts';
import type { SandboxSettings } from './render-sandbox-environment.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);
const mebibyte = 1024 * 1024;
/** Kept for Node, the kernel and Lambda's own process beside a tool, MiB. */
const besideTools = 512;
/** Milliseconds from an answer to the end of its process: time for the runtime to hand it over and say that it is ready. */
const endAfter = 100;

/**
 * One job in, objects or a typed error out. An environment that a job did not leave clean never sees another job: what it
 * left is ended and removed, the answer goes out, and the process ends shortly after, or when it is thawed for the next
 * job and before it looks at it; Lambda then makes a new one, and `lambda-renderer` sends that job again at once. Where
 * something cannot be ended the process ends without an answer. An error thrown would not do: Lambda keeps the environment.
 */
export async function openSandbox(
  settings: SandboxSettings,
): Promise<(request: SandboxRequest) => Promise<SandboxAnswer>> {
  const notes = [...settings.notes];
  const renderer = await createLoneRenderer({
    jobs: settings.isOwnMachine ? settings.jobs : await openJobsFolder(settings.jobs),
    isOwnMachine: settings.isOwnMachine,
    workerFile: join(import.meta.dirname, 'render-worker.mjs'),
    // Lambda's Node may need libraries beside it; it finds them by this variable.
    ...(settings.isOwnMachine ? { libraryPath: '/var/lang/lib' } : {}),
    ...toolsIn(settings.tools),
    limits: { memory: memoryLimit(settings.memory) },
    log: logInto(notes),
  });
  let isSpent = false;

  return async function handle(request) {
    if (isSpent) process.exit(1);
    try {
      const { bundle, wallClock } = await unpackRequest(request);
      const outcome = await renderer.run(bundle, wallClock === undefined ? {} : { wallClock });
      if (outcome.left.length > 0) {
        isSpent = true;
        setTimeout(() => process.exit(1), endAfter);
      }
      return await answerOf(outcome, notes);
    } catch (error) {
      if (error instanceof NotCleanError) process.exit(1);
      return failure(error, [], notes);
    }
  };
}

function toolsIn(folder: string): { helm: string; kubectl: string; kustomize?: string } {
  const kustomize = join(folder, 'kustomize', 'kustomize');
  const own = isThere(kustomize) ? { kustomize } : {};
  return { helm: join(folder, 'helm', 'helm'), kubectl: join(folder, 'kubectl', 'kubectl'), ...own };
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Bytes for one process: LIM-11, or what the function has where that is less, so that it is a limit and no crash. */
function memoryLimit(memory: number | undefined): number {
  if (memory === undefined) return defaultLimits.memory;
  return Math.min(defaultLimits.memory, Math.max(memory / 4, memory - besideTools) * mebibyte);
}

async function unpackRequest(
  request: SandboxRequest,
): Promise<{ bundle: RenderBundle; wallClock: number | undefined }> {
  if (request?.format !== 1 || typeof request.bundle !== 'string')
    throw new HawserError('internal', 'the render request has another format than this sandbox reads');
  const maxOutputLength = 2 * defaultLimits.bundleSize;
  const json = await decompress(Buffer.from(request.bundle, 'base64'), { maxOutputLength });
  const { path, job, files } = JSON.parse(json.toString()) as SandboxBundle<RenderTool>;
  const contents = files.map(({ path: name, text, base64, executable }) => ({
    path: name,
    content: text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text),
    ...(executable === true ? { executable } : {}),
  }));
  return { bundle: { path, job, files: contents }, wallClock: request.wallClock };
}

async function answerOf({ result, left }: LoneOutcome, notes: string[]): Promise<SandboxAnswer> {
  if ('error' in result) return failure(result.error, left, notes);
  const text = result.objects.join('\n');
  const answer: SandboxAnswer = {
    ok: true,
    output: (await compress(text)).toString('base64'),
    count: result.objects.length,
    sha256: createHash('sha256').update(text).digest('hex'),
    warnings: result.warnings,
    left,
    notes,
  };
  if (Buffer.byteLength(JSON.stringify(answer)) <= sandboxPayloadLimit) return answer;
  const value = sandboxPayloadLimit;
  const words = `the rendered objects are larger than ${value / mebibyte} MiB after compression, which is what the render function answers`;
  const error = new HawserError('render-limit', words, {
    data: { limit: 'response', value },
    hint: 'Split the application.',
  });
  return failure(error, left, notes);
}

function failure(error: unknown, left: string[], notes: string[]): SandboxAnswer {
  const { code, message, data, hint } = failureOf(error);
  const known = code as (SandboxAnswer & { ok: false })['code'];
  return {
    ok: false,
    code: known,
    message: message.slice(0, 8192) || code,
    data,
    ...(hint === undefined ? {} : { hint }),
    left,
    notes,
  };
}

/** The sandbox may not log: what it has to say travels with its answers. */
function logInto(notes: string[]): Log {
  const note = (_fields: object, message?: string): void => void notes.push(String(message).slice(0, 300));
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note, child: () => log };
  return log;
}
