import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { InvokeCommand, type InvokeCommandOutput, type LambdaClient } from '@aws-sdk/client-lambda';
import { HawserError } from '../../errors.ts';
import { SandboxAnswer, type SandboxBundle, type SandboxRequest } from '../../messages/render-sandbox.ts';
import { sandboxPayloadLimit } from '../../domain/render-payload.ts';
import type { Log } from '../../ports/log.ts';
import type { RenderBundle, RenderCall, Renderer, RenderResult, RenderTool } from '../../ports/renderer.ts';
import { toAwsError } from './aws-error.ts';
import { clientSettings } from './client-settings.ts';
import { functionError } from './lambda-function-error.ts';

export interface LambdaRendererDeps {
  client: LambdaClient;
  /** Name or ARN of `render-sandbox`, a function in tenant isolation mode (`TenancyConfig: PER_TENANT`). */
  functionName: string;
  /** What `versions` answers: those of the layers that the function is deployed with (`toolVersions`). */
  versions: Record<string, string>;
  log: Log;
  /** LIM-09, bytes of all objects of one render; 20 MiB when absent. */
  outputLimit?: number;
}

/** Seconds that the function `render-sandbox` may take: LIM-10 and time to start, clean up and answer. */
export const sandboxTimeoutSeconds = 90;

/** For the Lambda client: an answer comes as late as the function may take. The SDK tries again where it was throttled or a connection broke. */
export function renderClientSettings(): ReturnType<typeof clientSettings> {
  const settings = clientSettings();
  const requestTimeout = (sandboxTimeoutSeconds + 10) * 1000;
  return { ...settings, maxAttempts: 3, requestHandler: { ...settings.requestHandler, requestTimeout } };
}

const mebibyte = 1024 * 1024;
/** More of them nobody reads. */
const maxWarnings = 100;
const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * Renders each bundle by one synchronous invocation of `render-sandbox` under the organisation's tenant id, so that no
 * environment ever serves two organisations (INV-35). What the sandbox answers is checked whole (FT-31) and bounded.
 * Errors of the tools come through as they are; `render-limit` for what is too large or too slow for the sandbox and
 * would be again; `unavailable`, later, for throttling, service errors and a sandbox that died of something else.
 */
export function createLambdaRenderer(deps: LambdaRendererDeps): Renderer {
  const { client, functionName, log } = deps;
  const outputLimit = deps.outputLimit ?? 20 * mebibyte;
  let hasToldNotes = false;

  async function render(bundle: RenderBundle, call: RenderCall): Promise<RenderResult> {
    // Without one Lambda would refuse; an environment for nobody must not come from an empty field.
    if (call.tenant === '') throw new HawserError('internal', 'a render has to say for which organisation it is');
    const payload = await packRequest(bundle, call.wallClock);
    const answer = await answerOf(payload, call);
    if (answer.notes.length > 0 && !hasToldNotes) {
      hasToldNotes = true;
      log.info({ notes: answer.notes }, 'what the render sandbox goes without');
    }
    if (answer.left.length > 0)
      log.warn({ tenant: call.tenant, left: answer.left }, 'a render left something behind; its sandbox is replaced');
    if (answer.ok) return unpackOutput(answer, outputLimit);
    const { code, data, hint } = answer;
    const retry = code === 'unavailable' || code === 'internal' ? 'later' : 'never';
    const details = { data, retry, ...(hint === undefined ? {} : { hint }) } as const;
    throw new HawserError(code, answer.message.slice(0, 8192), details);
  }

  /** An environment that ended without an answer is replaced by Lambda: the second try is at once, and the last. */
  async function answerOf(payload: Uint8Array, call: RenderCall): Promise<SandboxAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const output = await invoke(payload, call);
      const error = functionError(output);
      if (error === undefined) return parseAnswer(output);
      if (attempt > 1 || error.data['ended'] !== true) throw error;
      log.warn({ tenant: call.tenant, reason: error.message }, 'the render sandbox ended; rendering in another');
    }
  }

  async function invoke(payload: Uint8Array, { tenant, signal }: RenderCall): Promise<InvokeCommandOutput> {
    const command = new InvokeCommand({
      FunctionName: functionName,
      InvocationType: 'RequestResponse',
      TenantId: tenant,
      Payload: payload,
    });
    try {
      signal?.throwIfAborted();
      return await client.send(command, signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted === true) {
        throw new HawserError('unavailable', 'the render was called off', { retry: 'later', cause: error });
      }
      if (error instanceof Error && error.name === 'RequestTooLargeException') throw tooLarge('request', error);
      throw toAwsError(error, `function ${functionName}: render`);
    }
  }

  return {
    render,
    versions: () => Promise.resolve({ ...deps.versions }),
    close: () => Promise.resolve(client.destroy()),
  };
}

async function packRequest({ path, job, files }: RenderBundle, wallClock?: number): Promise<Uint8Array> {
  const bundle: SandboxBundle<RenderTool> = {
    path,
    job,
    files: files.map((file) => ({
      path: file.path,
      ...textOf(file.content),
      ...(file.executable === true ? { executable: true } : {}),
    })),
  };
  const packed = (await compress(JSON.stringify(bundle))).toString('base64');
  const request: SandboxRequest = { format: 1, bundle: packed, ...(wallClock === undefined ? {} : { wallClock }) };
  const payload = Buffer.from(JSON.stringify(request));
  if (payload.length > sandboxPayloadLimit) throw tooLarge('request');
  return payload;
}

function textOf(content: Uint8Array): { text: string } | { base64: string } {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };
}

/** LIM-09 as Lambda has it. `which` is also the limit's name in the error's data. */
function tooLarge(which: 'request', cause?: unknown): HawserError {
  const value = sandboxPayloadLimit;
  return new HawserError(
    'render-limit',
    `the files to render are larger than ${value / mebibyte} MiB after compression, which is what the render function takes`,
    {
      data: { limit: which, value },
      hint: 'Split the application, or move large files that no manifest needs out of its folder or chart.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

function parseAnswer(output: InvokeCommandOutput): SandboxAnswer {
  try {
    return SandboxAnswer.parse(JSON.parse(output.Payload?.transformToString() ?? ''));
  } catch (error) {
    throw new HawserError('unavailable', 'the render sandbox answered nonsense', { retry: 'later', cause: error });
  }
}

async function unpackOutput(answer: SandboxAnswer & { ok: true }, limit: number): Promise<RenderResult> {
  const text = await textWithin(answer.output, limit);
  const objects = text === '' ? [] : text.split('\n');
  const sha256 = createHash('sha256').update(text).digest('hex');
  if (objects.length !== answer.count || sha256 !== answer.sha256) {
    throw new HawserError('unavailable', 'the render sandbox’s answer is not whole', {
      retry: 'later',
      data: { count: objects.length, expected: answer.count },
    });
  }
  return { objects, warnings: answer.warnings.slice(0, maxWarnings).map((warning) => warning.slice(0, 2000)) };
}

/** The text of base64 and gzip; never expands more than `limit` bytes of objects (and a line feed for each). */
async function textWithin(packed: string, limit: number): Promise<string> {
  try {
    return (await decompress(Buffer.from(packed, 'base64'), { maxOutputLength: limit + 10_000 })).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new HawserError('render-limit', `the rendered objects are larger than ${limit / mebibyte} MiB`, {
        data: { limit: 'output', value: limit },
        hint: 'Split the application.',
      });
    }
    throw new HawserError('unavailable', 'the render sandbox’s answer is damaged', { retry: 'later', cause: error });
  }
}
