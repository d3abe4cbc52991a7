import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { answerInvoke } from '#localstack/aws/invoke-api.ts';
import { createLambdaHost, payloadLimit, type LambdaHost } from '#localstack/aws/lambda-host.ts';
import type { FunctionSpec } from '#localstack/aws/lambda-instance.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-lambda-'));
let hosts: LambdaHost[] = [];

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A host with one function `f` of this source. */
function hostOf(source: string, more: Partial<FunctionSpec> = {}): LambdaHost {
  const bundle = join(mkdtempSync(join(folder, 'f-')), 'index.mjs');
  writeFileSync(bundle, source);
  const spec = { name: 'f', bundle, environment: { OWN: 'yes' }, timeoutSeconds: 10, memoryMb: 128, concurrency: 2 };
  const host = createLambdaHost({ functions: [{ ...spec, ...more }], region: 'eu-central-1', account: '0' });
  hosts.push(host);
  return host;
}

async function ask(host: LambdaHost, event: unknown = null, options: { tenantId?: string } = {}) {
  const { payload, functionError } = await host.invoke('f', JSON.stringify(event), options);
  return { answer: JSON.parse(payload) as Record<string, unknown>, functionError };
}

describe('an instance of a function', () => {
  it('gets its own variables and those of Lambda, and nothing of ours', async () => {
    process.env['HAWSER_TEST_LEAK'] = 'leaked';
    const { answer } = await ask(hostOf('export const handler = async () => process.env;'));
    delete process.env['HAWSER_TEST_LEAK'];

    expect(answer).toMatchObject({ OWN: 'yes', AWS_LAMBDA_FUNCTION_NAME: 'f', AWS_REGION: 'eu-central-1' });
    const foreign = Object.keys(answer).filter((name) => !/^(AWS_|LANG$|TZ$|_HANDLER$|OWN$)/.test(name));
    expect(foreign).toEqual([]);
  });

  it('gets a context that counts down', async () => {
    const { answer } = await ask(
      hostOf('export const handler = async (event, c) => ({ ...c, event, left: c.getRemainingTimeInMillis() });'),
      { a: 1 },
    );

    expect(answer).toMatchObject({
      event: { a: 1 },
      functionName: 'f',
      memoryLimitInMB: '128',
      invokedFunctionArn: 'arn:aws:lambda:eu-central-1:0:function:f',
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(answer['left']).toBeGreaterThan(0);
    expect(answer['left']).toBeLessThanOrEqual(10_000);
  });

  it('serves one event at a time and keeps what it has loaded', async () => {
    const host = hostOf(
      'let n = 0, at = 0; export const handler = async () => { at++; await new Promise((r) => setTimeout(r, 5)); ' +
        'const most = at; at--; return { n: ++n, most }; };',
      { concurrency: 1 },
    );
    const answers = await Promise.all([ask(host), ask(host), ask(host)]);

    expect(answers.map(({ answer }) => answer)).toEqual([
      { n: 1, most: 1 },
      { n: 2, most: 1 },
      { n: 3, most: 1 },
    ]);
  });

  it('is ended and replaced when its time is up', async () => {
    const host = hostOf('export const handler = async (wait) => wait ? new Promise(() => {}) : process.pid;', {
      timeoutSeconds: 1,
      concurrency: 1,
    });
    const late = await ask(host, true);

    expect(late.functionError).toBe('Unhandled');
    expect(late.answer).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(/Task timed out after 1\.00 seconds$/),
    });
    expect((await ask(host, false)).functionError).toBeUndefined();
  });

  it.each([
    ['throws', 'export const handler = async () => { throw new TypeError("bad"); };', 'TypeError'],
    ['ends itself', 'export const handler = async () => process.exit(3);', 'Runtime.ExitError'],
    ['has no handler', 'export const other = 1;', 'Runtime.HandlerNotFound'],
    ['does not load', 'import "./missing.mjs"; export const handler = 1;', 'Error'],
  ])('that %s fails the invocation', async (_what, source, errorType) => {
    const { answer, functionError } = await ask(hostOf(source));

    expect(functionError).toBe('Unhandled');
    expect(answer['errorType']).toBe(errorType);
  });

  it('takes and gives 6 MB, and no more', async () => {
    const host = hostOf('export const handler = async (n) => "x".repeat(n);');

    await expect(host.invoke('f', `"${'x'.repeat(payloadLimit)}"`)).rejects.toMatchObject({ code: 'too-large' });
    expect((await ask(host, payloadLimit + 1)).answer['errorType']).toBe('Function.ResponseSizeTooLarge');
    await expect(host.invoke('g', 'null')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('serves one tenant only, and makes room for another (INV-35)', async () => {
    const host = hostOf('export const handler = async (_, c) => ({ pid: process.pid, tenant: c.tenantId });', {
      concurrency: 1,
    });
    const [first, again, other] = [
      await ask(host, null, { tenantId: 'acme' }),
      await ask(host, null, { tenantId: 'acme' }),
      await ask(host, null, { tenantId: 'rival' }),
    ];

    expect(again.answer).toEqual(first.answer);
    expect(other.answer['tenant']).toBe('rival');
    expect(other.answer['pid']).not.toBe(first.answer['pid']);
  });

  it('ends with the host, also at work', async () => {
    const host = hostOf('export const handler = async () => new Promise(() => {});');
    const asked = ask(host);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await host.stop();

    expect((await asked).functionError).toBe('Unhandled');
    expect((await ask(host)).functionError).toBe('Unhandled');
  });
});

describe("Lambda's Invoke API", () => {
  const path = (name: string) => `/2015-03-31/functions/${name}/invocations`;
  const tenant: [string, string] = ['X-Amz-Tenant-Id', 'acme'];

  async function post(host: LambdaHost, target: string, headers: [string, string][], body: Uint8Array | undefined) {
    const request = { method: 'POST', target, headers, sourceIp: '127.0.0.1' };
    const { status, headers: given, body: text } = await answerInvoke(host, ['f'], request, body);
    return { status, headers: Object.fromEntries(given), body: Buffer.from(text).toString() };
  }

  it('answers what the function answers, under its name and its ARN', async () => {
    const host = hostOf('export const handler = async (event) => ({ got: event });');

    for (const name of ['f', encodeURIComponent(host.arnOf('f'))])
      expect(await post(host, path(name), [tenant], Buffer.from('{"a":1}'))).toMatchObject({
        status: 200,
        body: '{"got":{"a":1}}',
      });
  });

  it('says that the function failed in a header', async () => {
    const host = hostOf('export const handler = async () => { throw new Error("no"); };');
    const answer = await post(host, path('f'), [tenant], Buffer.from('null'));

    expect(answer).toMatchObject({ status: 200, headers: { 'x-amz-function-error': 'Unhandled' } });
  });

  it.each([
    ['another function', path('prepare'), [tenant], Buffer.from('{}'), 404, 'ResourceNotFoundException'],
    ['another path', '/2015-03-31/functions', [tenant], Buffer.from('{}'), 404, 'ResourceNotFoundException'],
    ['no tenant', path('f'), [], Buffer.from('{}'), 400, 'InvalidParameterValueException'],
    ['more than 6 MB', path('f'), [tenant], undefined, 413, 'RequestTooLargeException'],
  ] as [string, string, [string, string][], Uint8Array | undefined, number, string][])(
    'refuses %s',
    async (_what, target, headers, body, status, type) => {
      const host = hostOf('export const handler = async () => 1;');

      expect(await post(host, target, headers, body)).toMatchObject({ status, headers: { 'x-amzn-errortype': type } });
    },
  );
});
