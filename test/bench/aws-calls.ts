import { fileURLToPath } from 'node:url';
import { functions } from '#infra/aws/functions.ts';
import { prices, pricesOf } from '#infra/aws/cost/prices.ts';
import { watchedAwsService, type EmulatorUser } from '#localstack/aws/service.ts';
import type { ApplicationList } from '#shared/messages/api.ts';
import { startFaultProxy, type Call, type FaultProxy, type Json } from '#test/cloud/fault-proxy.ts';
import { fleetApplication, fleetName, fleetNamespace, writeFleetFolder } from '#test/kit/fleet.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';
import { timePushes } from './push.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

/** The emulators take minutes for a thousand applications: what one push asks for does not depend on how many others there are. */
const applications = Number(process.env['HAWSER_BENCH_APPLICATIONS'] ?? 100);
const pushes = 10;
/** `timePushes` also makes three to warm up. */
const warmUps = 3;
/** Requests that carry a message each, and cost more where they name a group. */
const grouped = /^Send/;

/** What was asked of AWS during the pushes. */
interface Tally {
  /** `functions DynamoDB.GetItem` → how often. */
  requests: Map<string, number>;
  readUnits: number;
  writeUnits: number;
  groupedSends: number;
  invocations: Map<string, number[]>;
}

/**
 * Requests to each AWS service for a push that changes one of many applications, with the bundles that are deployed and an agent
 * that works directly; and what they cost at the prices of infra/aws/cost/prices.ts. Counted by proxies before the emulators;
 * units of the table are those that DynamoDB Local says.
 */
export async function benchAwsCalls(): Promise<BenchRow[]> {
  const tally = emptyTally();
  const proxies: FaultProxy[] = [];
  const product = await startTestProduct({
    startService: watchedAwsService({
      async between(user, emulators) {
        const opened = await Promise.all([
          watch(tally, user, emulators.dynamodb),
          watch(tally, user, emulators.localstack),
        ]);
        proxies.push(...opened);
        return {
          endpoints: { dynamodb: opened[0].url, localstack: opened[1].url },
          stop: async () => void (await Promise.all(opened.map((proxy) => proxy.stop()))),
        };
      },
      onInvoked(name, milliseconds) {
        const short = name.replace('hawser-local-', '');
        tally.invocations.set(short, [...(tally.invocations.get(short) ?? []), milliseconds]);
      },
    }),
  });
  try {
    const work = await createFleet(product);
    // Late reports of the creation, and the sweep of this minute.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    clear(tally);
    const samples = await timePushes(product, work, fleetName(Math.floor(applications / 2)), pushes);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return rowsOf(tally, samples);
  } finally {
    await product.end();
  }
}

async function watch(tally: Tally, user: EmulatorUser, target: string): Promise<FaultProxy> {
  const proxy = await startFaultProxy(target);
  proxy.faults = (call) => {
    proxy.calls.length = 0;
    const name = `${user} ${call.operation}`;
    tally.requests.set(name, (tally.requests.get(name) ?? 0) + 1);
    if (grouped.test(call.operation) && isGrouped(call)) tally.groupedSends += 1;
    if (call.input['TableName'] === undefined && call.input['RequestItems'] === undefined) return undefined;
    // The answer goes back as AWS would give it: nobody asked for the units.
    const isWrite = /^(Put|Update|Delete|BatchWrite)/.test(call.operation);
    return {
      input: (input: Json) => ({ ...input, ReturnConsumedCapacity: 'TOTAL' }),
      output({ ConsumedCapacity: used, ...rest }: Json) {
        const units = [used ?? []].flat().reduce((sum: number, one: Json) => sum + Number(one.CapacityUnits ?? 0), 0);
        if (isWrite) tally.writeUnits += units;
        else tally.readUnits += units;
        return rest;
      },
    };
  };
  return proxy;
}

function isGrouped({ input }: Call): boolean {
  const entries = (input['Entries'] ?? [input]) as Json[];
  return entries.some((entry) => entry['MessageGroupId'] !== undefined);
}

async function createFleet(product: TestProduct): Promise<string> {
  await product.kube.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: fleetNamespace },
  });
  const work = await product.clone('fleet');
  const names = Array.from({ length: applications }, (_, index) => fleetName(index));
  for (const name of names) await writeFleetFolder(work, name, 'start');
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', `${applications} applications`);
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  const url = `${product.run.git}/fleet.git`;
  await product.api('POST', '/api/v1/objects', { objects: names.map((name) => fleetApplication(url, name)) });
  await eventually(
    'all are Synced and Healthy',
    async () => {
      const { counts } = await product.api<ApplicationList>('GET', '/api/v1/applications?limit=1');
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return counts.sync['Synced'] === applications && counts.health['Healthy'] === applications;
    },
    600_000,
  );
  return work;
}

/** A row for each operation and user, then the units, then the money. */
function rowsOf(tally: Tally, samples: readonly number[]): BenchRow[] {
  const each = (count: number) => count / (pushes + warmUps);
  const one = `one of ${applications} changed on AWS`;
  const idle = /^(agents|mappings) ReceiveMessage$/;
  const operations = [...tally.requests].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const invocations = [...tally.invocations].filter(([name]) => name !== 'sweep' && name !== 'api');
  const cents = centsOf(tally, each);
  return [
    ...operations.map(([name, count]) => ({
      name: `${one}: ${name}`,
      value: each(count),
      unit: 'requests',
      ...(idle.test(name) ? { note: 'those that wait for nothing included' } : {}),
    })),
    ...invocations.map(([name, times]) => ({
      name: `${one}: function ${name}`,
      value: each(times.length),
      unit: 'invocations',
      note: `${Math.round(percentile(times, 0.5))} ms each, on this machine`,
    })),
    { name: `${one}: read units of the table`, value: each(tally.readUnits), unit: 'units' },
    { name: `${one}: write units of the table`, value: each(tally.writeUnits), unit: 'units' },
    ...Object.entries(cents).map(([service, value]) => ({
      name: `1,000 pushes: ${service}`,
      value,
      unit: 'cents',
      note: `${pricesOf.region}, ${pricesOf.asOf}`,
    })),
    {
      name: `1,000 pushes: all of it`,
      value: Object.values(cents).reduce((sum, value) => sum + value, 0),
      unit: 'cents',
      note: pricesOf.note,
    },
    { name: `${one}: push → applied, p50, on emulators`, value: percentile(samples, 0.5) / 1000, unit: 's' },
  ];
}

/** US cents for 1,000 pushes, by service. Long polls cost by the hour, not by the push: they are in the estimate of infra. */
function centsOf(tally: Tally, each: (count: number) => number): Record<string, number> {
  const thousand = (usd: number) => usd * 1000 * 100;
  const count = (pattern: RegExp) =>
    [...tally.requests].reduce((sum, [name, requests]) => sum + (pattern.test(name) ? requests : 0), 0);
  // A receive for each event that a function got, and one for each wake.
  const receives = [...tally.invocations].reduce(
    (sum, [name, times]) => sum + (isFedByQueue(name) ? times.length : 0),
    count(/^agents DeleteMessage/),
  );
  const sqs = count(/ (Send|Delete|ChangeMessage)Message/) + count(/ ChangeMessageVisibility/) + receives;
  const lambda = [...tally.invocations].reduce((sum, [name, times]) => sum + computeOf(name, times), 0);
  return {
    'table reads': thousand(each(tally.readUnits) * prices.tableRead.usd),
    'table writes': thousand(each(tally.writeUnits) * prices.tableWrite.usd),
    queues: thousand(each(sqs) * prices.sqsRequest.usd + each(tally.groupedSends) * prices.sqsFair.usd),
    keys: thousand(each(count(/ (Decrypt|GenerateDataKey|Sign|GetPublicKey)$/)) * prices.keyCall.usd),
    secrets: thousand(each(count(/ (Get|Put|Create)Secret/)) * prices.secretCall.usd),
    functions: thousand(each(lambda)),
    'HTTP API': thousand(each(tally.invocations.get('webhook')?.length ?? 0) * prices.httpRequest.usd),
  };
}

function isFedByQueue(name: string): boolean {
  return functions.some((spec) => spec.name === name && spec.trigger.queues !== undefined);
}

/** US dollars for these invocations. Milliseconds of this machine, and of the size that infra gives to the function. */
function computeOf(name: string, times: readonly number[]): number {
  const spec = functions.find((one) => one.name === name);
  if (spec === undefined || name === 'sweep' || name === 'api') return 0;
  const second = spec.isSandbox === true ? prices.lambdaX64.usd : prices.lambdaArm.usd;
  const seconds = times.reduce((sum, milliseconds) => sum + milliseconds / 1000, 0);
  return times.length * prices.lambdaRequest.usd + (seconds * spec.memoryMb * second) / 1024;
}

function emptyTally(): Tally {
  return { requests: new Map(), readUnits: 0, writeUnits: 0, groupedSends: 0, invocations: new Map() };
}

function clear(tally: Tally): void {
  tally.requests.clear();
  tally.invocations.clear();
  Object.assign(tally, { readUnits: 0, writeUnits: 0, groupedSends: 0 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchAwsCalls());
