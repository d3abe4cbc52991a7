import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAwsHub, type AwsPlaces } from '#agent/hub/aws-hub.ts';
import { createCipherKey } from '#shared/adapters/aws/create-root-key.ts';
import { createQueue } from '#shared/adapters/aws/create-queue.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createSqsBell } from '#shared/adapters/aws/sqs-bell.ts';
import { createQueues } from '#shared/adapters/aws/sqs-queues.ts';
import { createWakeQueues, type WakeQueues } from '#shared/adapters/aws/wake-queues.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import * as flow from '#shared/flow.ts';
import { AgentMail } from '#shared/messages/agent-mail.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { createSnapshotChunks, type SnapshotChunks } from '#shared/state/chunks.ts';
import { moveHead, readHead, type Head } from '#shared/state/heads.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { describeOnAws, dynamodbAt, kmsAt, sqsAt } from './aws-emulators.ts';

const clock = createSystemClock();
const organisation = 'acme';
const cluster = 'one';
const cipherKey = 'alias/hawser-direct/cipher';

await describeOnAws('an agent with direct access', ['dynamodb', 'localstack'], (aws) => {
  let clients: [DynamoDBClient, SQSClient, KMSClient];
  let store: StateStore;
  let snapshots: SnapshotChunks;
  let wakeQueues: WakeQueues;
  let mail: Queue;
  let hub: Hub;
  /** Makes roots that are really signed. */
  let signing: FakeHub;
  let bell: ReturnType<typeof createSqsBell>;
  const environment = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
  const before = { ...process.env };

  beforeAll(async () => {
    const { dynamodb, localstack } = await aws.endpoints();
    clients = [dynamodbAt(dynamodb), sqsAt(localstack), kmsAt(localstack)];
    const [rows, sqs, kms] = clients;
    const table = 'hawser-direct';
    await Promise.all([createTable(rows, table), createCipherKey(kms, cipherKey)]);
    const queueBase = `${localstack}/000000000000/hawser-direct-`;
    wakeQueues = createWakeQueues({ client: sqs, clock, queueBase });
    bell = createSqsBell({ wakeQueues, log: silentLog });
    await wakeQueues.create(organisation, cluster);
    const named = await createQueue(sqs, { ...flow.agentMail, name: 'hawser-direct-agent-mail' });
    store = createStateStore({ client: rows, table, clock });
    const chunks = createChunkStore({ client: rows, table, clock });
    snapshots = createSnapshotChunks(chunks, createKmsCipher({ client: kms, clock, keyId: cipherKey }));
    mail = createQueues({ client: sqs, clock, chunks, urls: () => named }).open(flow.agentMail);
    const places: AwsPlaces = {
      region: 'eu-central-1',
      table,
      cipherKey,
      wakeQueue: `${queueBase}${wakeQueueName(organisation, cluster)}`,
      mailQueue: `${queueBase}agent-mail`,
      endpoints: { dynamodb, sqs: localstack, kms: localstack },
    };
    Object.assign(process.env, environment);
    hub = createAwsHub({ organisation, cluster, from: places, clock, random: () => 0.5 });
    signing = await createFakeHub({ organisation, cluster });
  }, 120_000);
  afterAll(async () => {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    for (const client of clients ?? []) client.destroy();
    await signing?.close();
  });

  /** As publish does it: chunks, head, wake-up. */
  async function publish(application: string, value: string): Promise<string[]> {
    await signing.publish({
      application,
      objects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: application }, data: { value } }],
    });
    const { applications } = await signing.poll({ after: 0, waitSeconds: 0 });
    const { root } = applications.find((one) => one.application === application)?.root ?? { root: '{}' };
    const parsed = JSON.parse(root) as Parameters<typeof moveHead>[1];
    for (const text of (await signing.chunks(parsed.chunks)).values())
      await snapshots.write(organisation, cluster, text);
    const decision = { contentOf: parsed.generation, decided: parsed.generation, served: [] };
    const signer = { sign: async () => signatureOf(application), rootPublicKey: async () => signing.rootKey };
    const expected = await readHead(store, organisation, cluster, application);
    expect(await moveHead({ store, signer, bell, clock }, parsed, decision, expected)).toBe(true);
    await bell.flush();
    return parsed.chunks;
  }

  async function signatureOf(application: string): Promise<Pick<Head['root'], 'signature' | 'certificate'>> {
    const { applications } = await signing.poll({ after: 0, waitSeconds: 0 });
    const found = applications.find((one) => one.application === application);
    if (found === undefined) throw new Error(`nothing was published for ${application}`);
    return found.root;
  }

  it('reads heads and chunks, is woken, hands commands over, sends mail', async () => {
    const chunks = await publish('web', '1');
    const first = await hub.poll({ after: 0, waitSeconds: 0 });
    expect(first).toMatchObject({ scope: 'all', version: 1, applications: [{ application: 'web' }] });
    const texts = await hub.chunks([...chunks, 'f'.repeat(64)]);
    expect([...texts.keys()]).toEqual(chunks);

    // What was sent with the first publish is known by now; only news ends a wait.
    await hub.poll({ after: 1, waitSeconds: 1 });
    const waiting = hub.poll({ after: 1, waitSeconds: 20 });
    await publish('shop', '1');
    expect(await waiting).toMatchObject({ scope: 'changes', version: 2, applications: [{ application: 'shop' }] });

    const question = { type: 'tree', application: 'web', question: 'q' };
    await wakeQueues.send(organisation, cluster, JSON.stringify(question));
    expect((await hub.poll({ after: 2, waitSeconds: 20 })).commands).toEqual([question]);
    expect(await wakeQueues.receive(organisation, cluster, 10)).toEqual([]);

    await hub.answer({ question: 'q', nodes: [] });
    const [delivery] = await mail.receive({ max: 10, waitSeconds: 5, visibilitySeconds: 30 });
    expect(AgentMail.parse(JSON.parse(delivery?.body ?? ''))).toMatchObject({ organisation, cluster });
  }, 60_000);
});
