import type { SQSRecord } from 'aws-lambda';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import * as flow from '#shared/flow.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { createInputChunks, createSnapshotChunks } from '#shared/state/chunks.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { markDirty } from '#shared/state/dirty.ts';
import { readChanges, rootOf } from '#shared/state/heads.ts';
import { getRepository, webhookSecretName } from '#shared/state/registry.ts';
import { readStatus } from '#shared/state/status.ts';
import { readWebhookSecrets } from '#shared/state/webhook-secrets.ts';
import { consumer, createSqsHandler, type SqsDeps } from '#functions/entry/aws/sqs.ts';
import { sweep } from '#functions/sweep/sweep.ts';
import { createWebhookApp } from '#functions/webhook/app.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  silentLog,
  stagesOf,
  type ServiceParts,
} from '#test/kit/service-parts.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { createAgent } from './aws-agent.ts';
import { createRegion, fairWeather, type Region, type SimulatedQueue, type Weather } from './aws-region.ts';

export const applications = ['a', 'b', 'c'];

export interface AwsWorld {
  region: Region;
  queues: Map<string, SimulatedQueue>;
  /** Pushes a value for an application; the answer is what the webhook said, 0 where it was never told. */
  push(application: string, value: string, options?: { told?: boolean }): Promise<number>;
  /** Lets so many minutes pass, with all that falls due. */
  pass(minutes: number): Promise<void>;
  /** So many days in which nobody does anything. */
  skip(days: number): void;
  /** What each application is published with, what its agent has, and what its status says of the agent; equal once converged. */
  state(): Promise<Record<string, { published: string; applied: string; reported: string }>>;
  wanted(): Record<string, { published: string; applied: string; reported: string }>;
  /** Dead letters, by queue. */
  dead(): { queue: string; reason: string; body: string }[];
  breaches: string[];
  close(): Promise<void>;
}

/** Another version of Hawser that writes the same rows and sends the same messages. */
export interface Version {
  store?: (store: StateStore) => StateStore;
  body?: (body: string) => string;
}

const secret = 'the secret of a webhook, 32 signs and more';
const repository = 'demo';
const minuteMs = 60_000;
const roundsAMinute = 500;
const metrics = { count: () => undefined, observe: () => undefined, gauge: () => undefined, flush: () => undefined };

/**
 * Webhook, plan, render, publish, report and sweep as on AWS: the very handlers of `functions/entry/aws/sqs.ts` over event
 * sources that receive, invoke and delete as Lambda does, with an agent that polls. Time is virtual, and the region is what
 * the test makes of it. It starts in fair weather with every application published.
 */
export async function createAwsWorld(seed: number, weather: Weather, version: Version = {}): Promise<AwsWorld> {
  const opened = await openServiceParts();
  const parts = { ...opened, store: version.store?.(opened.store) ?? opened.store };
  const { clock } = parts;
  const folder = await temporaryFolder();
  const values = new Map(applications.map((id) => [id, '0']));
  await prepare(parts, values);

  const region = createRegion(seed, clock, fairWeather);
  const cloud = cloudOf(parts, region, folder.path, version);
  const sources = sourcesOf(cloud, region);
  const agent = createAgent(cloud);
  const webhook = webhookOf(cloud);
  const world: AwsWorld = {
    region,
    queues: cloud.simulated,
    breaches: agent.breaches,
    push,
    pass,
    skip: (days) => clock.setNow(clock.now() + days * 24 * 60 * minuteMs),
    state,
    wanted: () => Object.fromEntries([...values].map(([id, value]) => [id, all(value)])),
    dead: () => [...cloud.simulated].flatMap(([queue, { dead }]) => dead.map((letter) => ({ queue, ...letter }))),
    async close() {
      await parts.close();
      await folder.remove();
    },
  };
  let nextMinute = clock.now();
  await republish();
  region.weather = weather;
  return world;

  /** Snapshots are sealed with the world's own cipher from here on. */
  async function republish(): Promise<void> {
    for (const id of applications) await push(id, '1');
    await pass(5);
  }

  async function push(application: string, value: string, { told = true } = {}): Promise<number> {
    values.set(application, value);
    parts.git.push(repository, filesOf(values));
    if (!told) return 0;
    const headers = { 'content-type': 'application/json', 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': secret };
    const body = JSON.stringify({ object_kind: 'push' });
    return (await webhook.request(`/webhooks/gitlab/${repository}`, { method: 'POST', headers, body })).status;
  }

  async function pass(minutes: number): Promise<void> {
    const end = clock.now() + minutes * minuteMs;
    for (let round = 0; round < (minutes + 1) * roundsAMinute; round += 1) {
      if (await workRound()) continue;
      const next = Math.min(nextMinute, ...sources.map(({ queue }) => queue.nextAt()).filter((at) => at > clock.now()));
      if (next > end) return clock.setNow(end);
      clock.setNow(Math.max(clock.now(), next));
      if (clock.now() >= nextMinute) await everyMinute();
    }
    throw new Error('the service does not come to rest');
  }

  /** Each event source hands over one batch, all at the same time. False where there was nothing to do. */
  async function workRound(): Promise<boolean> {
    if (region.away.has('lambda')) {
      // What the event source has received goes back when its visibility ends, and has been received.
      for (const { queue, batch } of sources) queue.poll(batch);
      return false;
    }
    const worked = await Promise.all(sources.map(async ({ queue, batch, invoke }) => invoke(queue.poll(batch))));
    return worked.some(Boolean);
  }

  async function everyMinute(): Promise<void> {
    nextMinute += minuteMs;
    if (nextMinute <= clock.now()) nextMinute = clock.now() + minuteMs;
    await agent.poll();
    // A sweep that fails is tried again by the next one.
    if (!region.away.has('lambda'))
      await sweep({ ...cloud, queues: cloud.queues, pollSeconds: 180 }, organisation).catch(() => undefined);
  }

  async function state(): ReturnType<AwsWorld['state']> {
    const heads = (await readChanges(parts, organisation, cluster, 0)).heads;
    const entries = applications.map(async (id) => {
      const head = heads.find(({ application }) => application === id);
      const chunk = await cloud.readable.read(organisation, cluster, (head && rootOf(head).chunks[0]) ?? '');
      const published = (JSON.parse(Buffer.from(chunk ?? []).toString() || '{}') as { data?: { value: string } }).data;
      const status = await readStatus(parts.store, organisation, id);
      const reported = agent.valueOf(id, status?.sync.generation);
      return [id, { published: published?.value ?? 'nothing', applied: agent.valueOf(id), reported }] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }
}

function all(value: string): { published: string; applied: string; reported: string } {
  return { published: value, applied: value, reported: value };
}

/** The adapters as functions see them: each call through a network that loses things. */
function cloudOf(parts: ServiceParts, region: Region, folder: string, version: Version) {
  const simulated = new Map(flow.flow.map((queue) => [queue.name as string, region.openQueue(queue, version.body)]));
  const queues = new Map<string, Queue>(simulated);
  const store = region.behind('dynamodb', parts.store);
  const chunkStore = region.behind('dynamodb', parts.chunkStore);
  const plainCipher = createFileCipher({ dir: folder });
  const cipher = region.behind('kms', plainCipher);
  const queue = (name: string) => queues.get(name) as Queue;
  return {
    ...parts,
    store,
    chunkStore,
    simulated,
    queues,
    hints: queue('hints'),
    renderJobs: queue('render-jobs'),
    publishJobs: queue('publish-jobs'),
    reports: queue('reports'),
    signer: region.behind('sign', parts.signer),
    inputs: createInputChunks(chunkStore, cipher),
    snapshots: createSnapshotChunks(chunkStore, cipher),
    /** For the test's own eyes. */
    readable: createSnapshotChunks(parts.chunkStore, plainCipher),
    renderer: region.behind('lambda', parts.renderer),
  };
}

type Cloud = ReturnType<typeof cloudOf>;

/** Event sources: a queue, and what is done with a batch of it. */
function sourcesOf(cloud: Cloud, region: Region) {
  const stages = stagesOf(cloud);
  const bodies = cloud.chunkStore;
  const deps: SqsDeps = {
    queues: cloud.queues,
    bodies,
    clock: cloud.clock,
    log: silentLog,
    metrics,
    withFields: (_fields, work) => work(),
    random: () => region.dice(1000) / 1000,
  };
  const bound = [
    [flow.hints, consumer(flow.hints, stages.plan)],
    [flow.renderJobs, consumer(flow.renderJobs, stages.render)],
    [flow.publishJobs, consumer(flow.publishJobs, stages.publish)],
    [flow.reports, consumer(flow.reports, stages.report)],
  ] as const;
  return bound.map(([{ name, batch }, stage]) => {
    const queue = cloud.simulated.get(name) as SimulatedQueue;
    const handler = createSqsHandler(deps, [stage], { concurrency: 4 });
    return {
      queue,
      batch,
      async invoke(deliveries: Delivery[]): Promise<boolean> {
        if (deliveries.length === 0) return false;
        const answer = await handler({ Records: deliveries.map((delivery) => recordOf(name, delivery)) }, {});
        const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        if (region.dice(1000) >= region.weather.killed)
          queue.settle(deliveries.map(({ id }) => id).filter((id) => !failed.has(id)));
        return true;
      },
    };
  });
}

function recordOf(queue: string, { id, body, receives, receipt }: Delivery): SQSRecord {
  return {
    messageId: id,
    receiptHandle: receipt,
    body,
    attributes: { ApproximateReceiveCount: String(receives), SenderId: '' },
    messageAttributes: {},
    eventSourceARN: `arn:aws:sqs:eu-central-1:123456789012:hawser-test-${queue}`,
  } as unknown as SQSRecord;
}

function webhookOf(cloud: Cloud) {
  return createWebhookApp({
    ...cloud,
    metrics,
    limits: { burst: 1_000_000 },
    async findSecrets(id) {
      if ((await getRepository(cloud.store, organisation, id)) === undefined) return undefined;
      return readWebhookSecrets(cloud, organisation, id);
    },
    async enqueue({ repository: id, trace }) {
      const at = new Date(cloud.clock.now()).toISOString();
      await cloud.hints.send([JSON.stringify({ organisation, repository: id, reason: 'push', trace, at })]);
    },
    markDirty: (hint) => markDirty(cloud, organisation, hint),
  });
}

function filesOf(values: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...values].map(([id, value]) => [`${id}/own.yaml`, configMap('own', value)]));
}

async function prepare(parts: ServiceParts, values: ReadonlyMap<string, string>): Promise<void> {
  parts.git.push(repository, filesOf(values));
  const objects = applications.map((name): JsonObject => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      source: { repoURL: `https://git.test/${repository}.git`, path: name },
      destination: { name: 'in-cluster', namespace: 'shop' },
      syncPolicy: { automated: {} },
    },
  }));
  const about = { organisation, homeCluster: cluster, defaultCluster: cluster, by: 'ada', trace: 't' };
  await declareObjects(parts, { ...about, objects });
  await drain(parts);
  await parts.secrets.put(webhookSecretName(organisation, repository), secret);
}
