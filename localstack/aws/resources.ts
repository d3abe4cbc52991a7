import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateAliasCommand, CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createQueue } from '#shared/adapters/aws/create-queue.ts';
import { createCipherKey } from '#shared/adapters/aws/create-root-key.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { HawserError } from '#shared/errors.ts';
import { flow } from '#shared/flow.ts';
import { credentials, localNames, region } from './deployment.ts';

/** Clients with the rights of whoever deploys. */
export interface Clients {
  dynamodb: DynamoDBClient;
  sqs: SQSClient;
  /** For long polls, each of which keeps a connection. */
  polling: SQSClient;
  kms: KMSClient;
  secrets: SecretsManagerClient;
}

/** What a deployment consists of besides functions. */
export interface Resources {
  table: string;
  /** Of agents' sessions. */
  agentRole: { arn: string; id: string };
  /** Before the name of a queue in its URL. */
  queueBase: string;
  /** By the names of `shared/flow.ts`. */
  queues: ReadonlyMap<string, { url: string; arn: string }>;
}

export function openClients(endpoints: { dynamodb: string; localstack: string }): Clients {
  const at = (endpoint: string, kind?: 'long-polls') => ({ ...clientSettings(kind), region, credentials, endpoint });
  return {
    dynamodb: new DynamoDBClient(at(endpoints.dynamodb)),
    sqs: new SQSClient(at(endpoints.localstack)),
    polling: new SQSClient(at(endpoints.localstack, 'long-polls')),
    kms: new KMSClient(at(endpoints.localstack)),
    secrets: new SecretsManagerClient(at(endpoints.localstack)),
  };
}

export function closeClients(clients: Clients): void {
  for (const client of Object.values(clients)) (client as { destroy(): void }).destroy();
}

/** Makes table, queues, keys and the role of agents' sessions as infra does, under its names. `rootKey`: PKCS #8 in DER, base64. */
export async function makeResources(
  clients: Clients,
  endpoints: { localstack: string },
  organisation: string,
  rootKey: string,
): Promise<Resources> {
  const names = localNames(organisation);
  const [queues, agentRole] = await Promise.all([
    makeQueues(clients.sqs, names.queue, endpoints.localstack),
    makeRole(endpoints.localstack, names.role('agent-session')),
    createTable(clients.dynamodb, names.table),
    makeRootKey(clients.kms, names.rootAlias, rootKey),
    createCipherKey(clients.kms, names.cipherAlias),
  ]);
  const hints = queues.get('hints')?.url ?? '';
  return { table: names.table, queueBase: hints.slice(0, -'hints'.length), queues, agentRole };
}

async function makeQueues(
  client: SQSClient,
  nameOf: (queue: string) => string,
  endpoint: string,
): Promise<Map<string, { url: string; arn: string }>> {
  const queues = flow.map(async (queue): Promise<[string, { url: string; arn: string }]> => {
    const made = await createQueue(client, { ...queue, name: nameOf(queue.name) });
    // The SDK goes to the address in a queue's URL, and an emulator need not know by which one it is reached.
    const url = new URL(new URL(made.url).pathname, endpoint).href;
    const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] });
    return [queue.name, { url, arn: (await client.send(asked)).Attributes?.['QueueArn'] ?? '' }];
  });
  return new Map(await Promise.all(queues));
}

/** A key that other starts had, too, which KMS would not let us bring this way: LocalStack takes a key's material as a tag. */
async function makeRootKey(client: KMSClient, alias: string, material: string): Promise<void> {
  const { KeyMetadata: key } = await client.send(
    new CreateKeyCommand({
      KeySpec: 'ECC_NIST_EDWARDS25519',
      KeyUsage: 'SIGN_VERIFY',
      Tags: [{ TagKey: '_custom_key_material_', TagValue: material }],
    }),
  );
  await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: key?.KeyId ?? '' }));
}

/** What it may is for AWS to say, the emulator does not look. Emulators that go on running have it already. */
async function makeRole(endpoint: string, name: string): Promise<{ arn: string; id: string }> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: ['sts:AssumeRole', 'sts:TagSession'] }],
  };
  const made = await askIam(endpoint, {
    Action: 'CreateRole',
    RoleName: name,
    AssumeRolePolicyDocument: JSON.stringify(trust),
  });
  const text = made.includes('EntityAlreadyExists')
    ? await askIam(endpoint, { Action: 'GetRole', RoleName: name })
    : made;
  const [arn, id] = ['Arn', 'RoleId'].map((tag) => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1]);
  if (arn !== undefined && id !== undefined) return { arn, id };
  throw new HawserError('unavailable', `role ${name} could not be made: ${text.slice(0, 300)}`);
}

/** By IAM's query API, for which no client is installed; the answer's text, whatever its status. */
async function askIam(endpoint: string, query: Record<string, string>): Promise<string> {
  const scope = `${credentials.accessKeyId}/20260101/us-east-1/iam/aws4_request`;
  const response = await fetch(endpoint, {
    method: 'POST',
    // Which service is asked is read from here; the emulator checks no signature.
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0` },
    body: new URLSearchParams({ Version: '2010-05-08', ...query }),
  });
  return response.text();
}
