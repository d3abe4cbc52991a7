import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { sandboxPayloadLimit } from '#shared/domain/render-payload.ts';
import type { HawserError } from '#shared/errors.ts';
import type { SandboxBundle, SandboxRequest } from '#shared/messages/render-sandbox.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, RenderCall, Renderer, RenderTool } from '#shared/ports/renderer.ts';
import { directoryBundle, helmBundle } from '#test/fixtures/render/bundles.ts';
import { rendererAt } from '#test/kit/render-sandbox.ts';

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

const lines: { level: string; fields: Record<string, unknown> }[] = [];
const level = (name: string) => (fields: Record<string, unknown>) => void lines.push({ level: name, fields });
const log: Log = {
  debug: level('debug'),
  info: level('info'),
  warn: level('warn'),
  error: level('error'),
  child: () => log,
};

interface Asked {
  path: string;
  tenant: string | undefined;
  request: SandboxRequest;
}

/** The Invoke API at a port of its own: answers one after another, the last for ever. */
async function api(
  ...answers: { status?: number; type?: string; functionError?: boolean; body: unknown }[]
): Promise<{ renderer: Renderer; asked: Asked[]; requests: () => number }> {
  const asked: Asked[] = [];
  let requests = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answer = answers[Math.min(requests, answers.length - 1)];
      requests += 1;
      const tenant = request.headers['x-amz-tenant-id'];
      const body = JSON.parse(Buffer.concat(chunks).toString()) as SandboxRequest;
      asked.push({ path: request.url ?? '', tenant: typeof tenant === 'string' ? tenant : undefined, request: body });
      response.writeHead(answer?.status ?? 200, {
        ...(answer?.type === undefined ? {} : { 'x-amzn-errortype': answer.type }),
        ...(answer?.functionError === true ? { 'x-amz-function-error': 'Unhandled' } : {}),
      });
      response.end(typeof answer?.body === 'string' ? answer.body : JSON.stringify(answer?.body));
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const renderer = rendererAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, log);
  closers.push(() => void renderer.close());
  return { renderer, asked, requests: () => requests };
}

function rendered(objects: string[], changes: Record<string, unknown> = {}): { body: unknown } {
  const text = objects.join('\n');
  return {
    body: {
      ok: true,
      output: gzipSync(text).toString('base64'),
      count: objects.length,
      sha256: createHash('sha256').update(text).digest('hex'),
      warnings: ['w'],
      ...changes,
    },
  };
}

const functionError = (errorType: string, errorMessage: string) => ({
  functionError: true,
  body: errorType === '' ? { errorMessage } : { errorType, errorMessage },
});

const bundle = helmBundle();
const call: RenderCall = { tenant: 'acme' };

async function failure(renderer: Renderer, what: RenderBundle = bundle): Promise<HawserError> {
  return renderer.render(what, call).then(
    () => expect.unreachable('it rendered'),
    (error: unknown) => error as HawserError,
  );
}

describe('the wire to render-sandbox', () => {
  it('INV-35: carries the organisation as tenant, and a bundle that comes out as it went in', async () => {
    const { renderer, asked } = await api(rendered(['{"a":1}', '{"b":2}']));
    const binary = Buffer.from([0xff, 0x00, 0xfe]);
    const files = [
      { path: 'chart/text.yaml', content: Buffer.from('ü: "\u2028"\n') },
      { path: 'chart/logo.png', content: binary, executable: true },
      { path: 'chart/empty', content: Buffer.alloc(0) },
    ];
    expect(await renderer.render({ ...bundle, files }, { tenant: 'acme', wallClock: 1500 })).toEqual({
      objects: ['{"a":1}', '{"b":2}'],
      warnings: ['w'],
    });
    expect(asked).toMatchObject([
      {
        path: '/2015-03-31/functions/render-sandbox/invocations',
        tenant: 'acme',
        request: { format: 1, wallClock: 1500 },
      },
    ]);
    const json = gunzipSync(Buffer.from(asked[0]?.request.bundle ?? '', 'base64')).toString();
    const sent = JSON.parse(json) as SandboxBundle<RenderTool>;
    expect({ path: sent.path, job: sent.job }).toEqual({ path: bundle.path, job: bundle.job });
    expect(sent.files).toEqual([
      { path: 'chart/text.yaml', text: 'ü: "\u2028"\n' },
      { path: 'chart/logo.png', base64: binary.toString('base64'), executable: true },
      { path: 'chart/empty', text: '' },
    ]);
  });

  it('takes no objects for no objects', async () => {
    const { renderer } = await api(rendered([]));
    expect((await renderer.render(bundle, call)).objects).toEqual([]);
  });

  it.each([
    ['fewer objects than it counted', { count: 3 }],
    ['other objects than it hashed', { sha256: '0'.repeat(64) }],
    ['output cut in the middle', { output: gzipSync('{"a":1}\n{"b":2}').toString('base64').slice(0, 20) }],
    ['no count', { count: undefined }],
    ['no digest', { sha256: undefined }],
    ['no output', { output: undefined }],
  ])('FT-31: an answer with %s is a failure, to be tried again', async (_what, changes) => {
    const { renderer } = await api(rendered(['{"a":1}', '{"b":2}'], changes));
    expect(await failure(renderer)).toMatchObject({ code: 'unavailable', retry: 'later' });
  });

  it.each([
    ['null'],
    ['{'],
    ['"text"'],
    [{ ok: false, code: 'forbidden', message: 'x' }],
    [{ ok: false, code: 'render-failed' }],
  ])('FT-31: takes no nonsense for an answer: %j', async (body) => {
    const { renderer } = await api({ body });
    expect(await failure(renderer)).toMatchObject({ code: 'unavailable', retry: 'later' });
  });

  it('passes on what the tool says, for good, with its place and hint', async () => {
    const said = {
      ok: false,
      code: 'render-failed',
      message: 'helm: no such size',
      data: { file: 'a.yaml', line: 3 },
      hint: 'Mend it.',
    };
    const { renderer, requests } = await api({ body: said });
    expect(await failure(renderer)).toMatchObject({
      code: 'render-failed',
      message: 'helm: no such size',
      data: { file: 'a.yaml', line: 3 },
      hint: 'Mend it.',
      retry: 'never',
    });
    expect(requests()).toBe(1);
  });

  it.each(['unavailable', 'internal'])('has %s of the sandbox tried again later', async (code) => {
    const { renderer } = await api({ body: { ok: false, code, message: 'the worker ended' } });
    expect(await failure(renderer)).toMatchObject({ code, retry: 'later' });
  });

  it('logs what was left behind, and once what the sandbox goes without', async () => {
    lines.length = 0;
    const { renderer } = await api(rendered([], { left: ['process sh'], notes: ['no namespaces'] }));
    await renderer.render(bundle, call);
    await renderer.render(bundle, call);
    expect(lines.map(({ level: name, fields }) => [name, fields['left'] ?? fields['notes']])).toEqual([
      ['info', ['no namespaces']],
      ['warn', ['process sh']],
      ['warn', ['process sh']],
    ]);
  });
});

describe('limits of Lambda', () => {
  it('LIM-09: takes a bundle that just fits and refuses the next larger without sending it', async () => {
    const { renderer, asked } = await api(rendered([]));
    const overhead = JSON.stringify({ format: 1, bundle: '' }).length;
    // What cannot be compressed: found once, so that the sizes are known.
    const noise = Buffer.from(createNoise(5_000_000));
    const sizeWith = (bytes: number): number => {
      const one = directoryBundle({});
      const file = { path: 'x', base64: noise.subarray(0, bytes).toString('base64') };
      const packed = gzipSync(JSON.stringify({ path: one.path, job: one.job, files: [file] }));
      return overhead + Math.ceil(packed.length / 3) * 4;
    };
    let [fits, over] = [4_000_000, 5_000_000];
    while (over - fits > 1000) {
      const middle = (fits + over) >> 1;
      if (sizeWith(middle) <= sandboxPayloadLimit) fits = middle;
      else over = middle;
    }
    const withNoise = (bytes: number): RenderBundle => ({
      ...directoryBundle({}),
      files: [{ path: 'x', content: noise.subarray(0, bytes) }],
    });
    await renderer.render(withNoise(fits), call);
    expect(asked).toHaveLength(1);
    const error = await failure(renderer, withNoise(over));
    expect(error).toMatchObject({ code: 'render-limit', retry: 'never', data: { limit: 'request', value: 6_291_456 } });
    expect(error.message).toContain('6 MiB');
    expect(error.hint).toMatch(/Split the application/);
    expect(asked).toHaveLength(1);
  });

  it('LIM-09: expands no more of an answer than a render may give', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x')).toString('base64');
    const { renderer } = await api(rendered([], { output: bomb, count: 1 }));
    expect(await failure(renderer)).toMatchObject({
      code: 'render-limit',
      data: { limit: 'output', value: 20 * 1024 * 1024 },
    });
  });

  it.each([
    [
      'Sandbox.Timedout',
      'RequestId: 1 Error: Task timed out after 90.00 seconds',
      { limit: 'wallClock', value: 90_000 },
    ],
    ['', '2026-01-01T00:00:00.000Z 1 Task timed out after 90.00 seconds', { limit: 'wallClock', value: 90_000 }],
    ['Runtime.ExitError', 'RequestId: 1 Error: Runtime exited with error: signal: killed', { limit: 'memory' }],
    ['Runtime.OutOfMemory', 'RequestId: 1 Error: Runtime exited', { limit: 'memory' }],
    ['Function.ResponseSizeTooLarge', 'Response payload size exceeded', { limit: 'response', value: 6_291_456 }],
  ])('LIM-09 … LIM-11: %s (%s) is a limit, never tried again', async (type, message, data) => {
    const { renderer, requests } = await api(functionError(type, message));
    const error = await failure(renderer);
    expect(error).toMatchObject({ code: 'render-limit', retry: 'never', data });
    expect(error.hint).toBeTruthy();
    expect(requests()).toBe(1);
  });

  it('says so when Lambda itself finds the request too large', async () => {
    const { renderer } = await api({
      status: 413,
      type: 'RequestTooLargeException',
      body: { Type: 'User', message: 'too large' },
    });
    expect(await failure(renderer)).toMatchObject({ code: 'render-limit', data: { limit: 'request' } });
  });
});

describe('a sandbox that does not answer', () => {
  it('FT-30: ended in the job is tried once more at once, in the environment that replaces it', async () => {
    const ended = functionError('Runtime.ExitError', 'RequestId: 1 Error: Runtime exited with error: exit status 1');
    const { renderer, requests } = await api(ended, rendered(['{}']));
    expect((await renderer.render(bundle, call)).objects).toEqual(['{}']);
    expect(requests()).toBe(2);
  });

  it('FT-30: ended twice is left to the queue', async () => {
    const { renderer, requests } = await api(
      functionError('Runtime.ExitError', 'Runtime exited with error: exit status 1'),
    );
    expect(await failure(renderer)).toMatchObject({ code: 'unavailable', retry: 'later', data: { ended: true } });
    expect(requests()).toBe(2);
  });

  it('is deployed wrongly: says what to look at', async () => {
    const { renderer, requests } = await api(functionError('Runtime.ImportModuleError', 'Cannot find module index'));
    const error = await failure(renderer);
    expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(error.message).toContain('Cannot find module index');
    expect(error.hint).toMatch(/layers/);
    expect(requests()).toBe(1);
  });

  it.each([
    [429, 'TooManyRequestsException'],
    [500, 'ServiceException'],
    [502, 'EC2ThrottledException'],
    [404, 'ResourceNotFoundException'],
    [403, 'AccessDeniedException'],
  ])('answers %i %s: unavailable, later', async (status, type) => {
    const { renderer } = await api({ status, type, body: { Type: 'Service', message: 'no', Message: 'no' } });
    expect(await failure(renderer)).toMatchObject({ code: 'unavailable', retry: 'later' });
  });

  it('goes on after a throttled try', async () => {
    const throttled = { status: 429, type: 'TooManyRequestsException', body: { message: 'Rate Exceeded.' } };
    const { renderer, requests } = await api(throttled, rendered(['{}']));
    expect((await renderer.render(bundle, call)).objects).toEqual(['{}']);
    expect(requests()).toBe(2);
  });

  it('is not waited for when the render is called off', async () => {
    const { renderer, requests } = await api(rendered([]));
    const error: unknown = await renderer
      .render(bundle, { tenant: 'acme', signal: AbortSignal.abort() })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(requests()).toBe(0);
  });

  it('INV-35: is not asked for nobody', async () => {
    const { renderer, requests } = await api(rendered([]));
    await expect(renderer.render(bundle, { tenant: '' })).rejects.toMatchObject({ code: 'internal' });
    expect(requests()).toBe(0);
  });
});

/** Bytes that do not compress and are the same every time. */
function createNoise(size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  let state = 0x9e3779b9;
  for (let at = 0; at < size; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}
