import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { TestProject } from 'vitest/node';
import { startEmulators, type EmulatorName, type RunningEmulators } from '#localstack/emulators/emulators.ts';
import { messageOf } from '#shared/errors.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Answers `GET /dynamodb` and `GET /localstack` with an emulator's URL, started when first asked for. */
    emulators: string;
  }
}

/** Before the tier's first file: one of each emulator for all files, from when one asks for it to the end of the run. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const running = new Map<string, Promise<RunningEmulators>>();
  const server = createServer((request, response) => {
    const name = request.url === '/dynamodb' ? 'dynamodb' : 'localstack';
    if (!running.has(name)) running.set(name, start(name));
    running.get(name)?.then(
      ({ endpoints }) => response.end(endpoints[name]),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  provide('emulators', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.close();
    server.closeAllConnections();
    for (const one of await Promise.allSettled(running.values()))
      if (one.status === 'fulfilled') await one.value.stop();
  };
}

async function start(name: EmulatorName): Promise<RunningEmulators> {
  const emulators = await startEmulators({ only: [name] });
  if (name === 'localstack') await loadServices(emulators.endpoints.localstack);
  return emulators;
}

/** LocalStack loads a service at its first call, on a busy machine for longer than our clients wait for an answer. */
async function loadServices(endpoint: string): Promise<void> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const settings = { endpoint, region: 'eu-central-1', credentials, requestHandler: { requestTimeout: 90_000 } };
  await Promise.all([
    new SQSClient(settings).send(new ListQueuesCommand({})),
    new KMSClient(settings).send(new ListKeysCommand({})),
    new STSClient(settings).send(new GetCallerIdentityCommand({})),
    new SecretsManagerClient(settings).send(new ListSecretsCommand({})),
  ]);
}
