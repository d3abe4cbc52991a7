import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attachEmulators } from '#localstack/emulators/attach.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const dynamodb = { status: 400, body: { __type: 'com.amazonaws.dynamodb.v20120810#MissingAuthenticationToken' } };
const taught = { status: 200, body: { completed: true, scripts: [hook('SUCCESSFUL')] } };

function hook(state: string): object {
  return { stage: 'START', name: 'teach_aws.py', state };
}

async function answering({ status, body }: { status: number; body: unknown }): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(JSON.stringify(body)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function attach(answers: { dynamodb?: object; localstack?: object }) {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const endpoints = {
    dynamodb: await answering({ ...dynamodb, ...answers.dynamodb }),
    localstack: await answering({ ...taught, ...answers.localstack }),
  };
  return { endpoints, again: () => attachEmulators(endpoints, folder.path, { patience: 0 }) };
}

describe('emulators that run already', () => {
  it('are used where they are, by one process at a time', async () => {
    const { endpoints, again } = await attach({});
    const first = await again();

    expect(first.endpoints).toEqual(endpoints);
    await expect(again()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`${process.pid}`),
    });
    await first.stop();
    await (await again()).stop();
  });

  it.each([
    ['no LocalStack', { localstack: { status: 404, body: 'Not Found' } }, /is not LocalStack/],
    ['no DynamoDB Local', { dynamodb: { status: 200, body: 'healthy' } }, /is not DynamoDB Local/],
    ['LocalStack without our hook', { localstack: { body: { scripts: [] } } }, /has no init hook teach_aws\.py/],
    ['a hook that failed', { localstack: { body: { scripts: [hook('ERROR')] } } }, /failed at its init hook/],
  ])('are refused where there is %s, and may be tried again', async (_, answers, message) => {
    const { again } = await attach(answers);

    await expect(again()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(message) });
    await expect(again()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('are missed with a word on how to start them', async () => {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const nobody = { dynamodb: 'http://127.0.0.1:1', localstack: 'http://127.0.0.1:1' };

    await expect(attachEmulators(nobody, folder.path, { patience: 0 })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/does not answer at http:\/\/127\.0\.0\.1:1/),
      hint: expect.stringContaining('docker compose -f localstack/compose.yaml up'),
    });
  });
});
