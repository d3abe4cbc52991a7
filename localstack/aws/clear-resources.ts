import { DeleteTableCommand, waitUntilTableNotExists } from '@aws-sdk/client-dynamodb';
import { DeleteAliasCommand } from '@aws-sdk/client-kms';
import { DeleteSecretCommand, ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { DeleteQueueCommand, ListQueuesCommand } from '@aws-sdk/client-sqs';
import { nameOf } from '#shared/adapters/aws/aws-error.ts';
import { localNames } from './deployment.ts';
import type { Clients } from './resources.ts';

/** As many as SQS lists at once. */
const queuesAtOnce = 1000;

/**
 * Takes away what an earlier start left in emulators that went on running: its table, queues, keys' names and secrets, by the
 * names of infra. What others keep there stays, and so do keys without a name, which nobody finds.
 */
export async function clearResources(clients: Clients, organisation: string): Promise<void> {
  const names = localNames(organisation);
  await Promise.all([
    clearTable(clients, names.table),
    clearQueues(clients, `${names.prefix}-`),
    clearSecrets(clients, names.secretPrefix),
    ...[names.rootAlias, names.cipherAlias].map((alias) => clearAlias(clients, alias)),
  ]);
}

async function clearTable({ dynamodb: client }: Clients, table: string): Promise<void> {
  await client.send(new DeleteTableCommand({ TableName: table })).catch(unless('ResourceNotFoundException'));
  await waitUntilTableNotExists({ client, maxWaitTime: 60, minDelay: 1 }, { TableName: table });
}

async function clearQueues({ sqs }: Clients, prefix: string): Promise<void> {
  for (;;) {
    const listed = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: queuesAtOnce }));
    const urls = listed.QueueUrls ?? [];
    if (urls.length === 0) return;
    await Promise.all(urls.map((url) => sqs.send(new DeleteQueueCommand({ QueueUrl: url }))));
  }
}

async function clearSecrets({ secrets }: Clients, prefix: string): Promise<void> {
  const found: string[] = [];
  let from: string | undefined;
  do {
    const page = await secrets.send(new ListSecretsCommand(from === undefined ? {} : { NextToken: from }));
    found.push(...(page.SecretList ?? []).flatMap(({ Name }) => (Name?.startsWith(prefix) === true ? [Name] : [])));
    from = page.NextToken;
  } while (from !== undefined);
  for (const name of found)
    await secrets.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery: true }));
}

async function clearAlias({ kms }: Clients, alias: string): Promise<void> {
  await kms.send(new DeleteAliasCommand({ AliasName: alias })).catch(unless('NotFoundException'));
}

function unless(name: string): (error: unknown) => void {
  return (error) => {
    if (nameOf(error) !== name) throw error;
  };
}
