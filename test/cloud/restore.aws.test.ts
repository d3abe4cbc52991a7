import { readFileSync } from 'node:fs';
import {
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { defaultPolicy } from '#shared/domain/application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { Signer } from '#shared/ports/signer.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { moveHead, readChanges, readHead, takeTicket } from '#shared/state/heads.ts';
import { describeOnAws, dynamodbAt } from './aws-emulators.ts';

const clock = createSystemClock();
const certificate = { organisation: 'acme', publicKey: '', notBefore: '', notAfter: '', signature: '' };
const signer: Signer = { sign: async () => ({ signature: 's', certificate }), rootPublicKey: async () => 'k' };

await describeOnAws('a table that went back in time', ['dynamodb'], (aws) => {
  let client: DynamoDBClient;
  beforeAll(async () => {
    client = dynamodbAt((await aws.endpoints()).dynamodb);
  });
  afterAll(() => client.destroy());

  it('as infra/aws/README.md restores it gives every agent all, and newer generations than it has (FT-49)', async () => {
    await createTable(client, 'live');
    const live = openStore('live');
    await publish(live);
    await createTable(client, 'then');
    await copy('live', 'then');
    for (let times = 0; times < 5; times += 1) await publish(live);
    const agent = await readChanges({ store: live, clock }, 'acme', 'one', 0);

    await raise('then', 'T#acme', 'TICKET');
    await raise('then', 'T#acme#C#one', 'HEAD');
    const restored = openStore('then');
    // As many as the live table had, and more: without the second counter the agent would take these for those that it knows.
    for (let times = 0; times < 8; times += 1) await publish(restored);
    // A hole in the versions counts as one after two seconds.
    const later = { ...clock, now: () => clock.now() + 60_000 };
    const answer = await readChanges({ store: restored, clock: later }, 'acme', 'one', agent.version);

    expect(agent.heads[0]?.generation).toBe(6);
    expect(answer).toMatchObject({ scope: 'all', resend: true });
    expect(answer.heads[0]?.generation).toBeGreaterThan(agent.heads[0]?.generation ?? Infinity);
  });

  function openStore(table: string): StateStore {
    return createStateStore({ client, table, clock });
  }

  /** What a point-in-time recovery would bring. */
  async function copy(from: string, to: string): Promise<void> {
    const { Items: items = [] } = await client.send(new ScanCommand({ TableName: from, ConsistentRead: true }));
    for (const item of items) await client.send(new PutItemCommand({ TableName: to, Item: item }));
  }

  /** The command of the README, word for word but for table, partition and sort key. */
  async function raise(table: string, partition: string, sort: string): Promise<void> {
    const text = readFileSync(new URL('../../infra/aws/README.md', import.meta.url), 'utf8');
    const command = /aws dynamodb update-item [^]*?'\n/.exec(text)?.[0] ?? '';
    const option = (name: string) => new RegExp(`--${name} '([^']*)'`).exec(command)?.[1] ?? '{}';
    const key = JSON.parse(option('key')) as Record<string, AttributeValue>;
    expect(key).toEqual({ partition: { S: 'T#acme' }, sort: { S: 'TICKET' } });
    await client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: { partition: { S: partition }, sort: { S: sort } },
        UpdateExpression: option('update-expression'),
        ExpressionAttributeNames: JSON.parse(option('expression-attribute-names')) as Record<string, string>,
        ExpressionAttributeValues: JSON.parse(option('expression-attribute-values')) as Record<string, AttributeValue>,
      }),
    );
  }
});

/** One more generation of the one application. */
async function publish(store: StateStore): Promise<void> {
  const generation = await takeTicket(store, 'acme');
  const head = await readHead(store, 'acme', 'one', 'web');
  const deps = { store, signer, bell: createBell(), clock };
  expect(
    await moveHead(deps, rootAt(generation), { contentOf: generation, decided: generation, served: [] }, head),
  ).toBe(true);
}

function rootAt(generation: number): SnapshotRoot {
  return {
    format: 1,
    organisation: 'acme',
    cluster: 'one',
    application: 'web',
    displayName: 'web',
    kind: 'Application',
    generation,
    revision: 'r',
    inputDigest: `d${generation}`,
    destinationNamespace: 'default',
    policy: defaultPolicy,
    chunks: [],
    objectCount: 0,
    totalBytes: 0,
    flags: [],
    dependsOn: [],
    owner: 'x',
  };
}
