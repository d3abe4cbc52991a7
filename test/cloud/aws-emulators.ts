import { describe, inject, it } from 'vitest';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  availableEmulators,
  installEmulators,
  type EmulatorName,
  type RunningEmulators,
} from '#localstack/emulators/emulators.ts';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';

/** The emulators of the run, started when first asked for. Every file names its tables, queues and keys as no other does. */
export interface AwsEmulators {
  endpoints(): Promise<RunningEmulators['endpoints']>;
}

/**
 * Runs `define` where these emulators can run, installing them when they are not there yet; elsewhere there is one test,
 * skipped with the reason. They are those of all files (`shared-emulators.ts`).
 */
export async function describeOnAws(
  name: string,
  needed: readonly EmulatorName[],
  define: (aws: AwsEmulators) => void,
): Promise<void> {
  const available = await availableEmulators();
  const lacking = needed.flatMap((emulator) => {
    const state = available[emulator];
    return state.ok ? [] : [state.reason];
  });
  if (lacking.length > 0) {
    describe(name, () => it('holds on the emulators', (context) => context.skip(lacking.join('; '))));
    return;
  }
  await installEmulators({ only: needed });
  describe(name, () =>
    define({
      async endpoints() {
        const endpoints = { dynamodb: '', localstack: '' };
        for (const emulator of needed) endpoints[emulator] = await endpointOf(emulator);
        return endpoints;
      },
    }),
  );
}

async function endpointOf(emulator: EmulatorName): Promise<string> {
  const response = await fetch(`${inject('emulators')}/${emulator}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

const account = { region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
/** Few tries with short pauses: the tests that break things need not wait long. */
const impatient = { maxAttempts: 3 };

export function dynamodbAt(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({ ...clientSettings(), ...account, ...impatient, endpoint });
}

export function sqsAt(endpoint: string): SQSClient {
  return new SQSClient({ ...clientSettings('long-polls'), ...account, ...impatient, endpoint });
}

export function kmsAt(endpoint: string): KMSClient {
  return new KMSClient({ ...clientSettings(), ...account, ...impatient, endpoint });
}

export function secretsManagerAt(endpoint: string): SecretsManagerClient {
  return new SecretsManagerClient({ ...clientSettings(), ...account, ...impatient, endpoint });
}
