import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { markDirty } from '#shared/state/dirty.ts';
import { readHead, rootOf, takeTicket, type Head } from '#shared/state/heads.ts';
import { applicationKey, organisationKey } from '#shared/state/keys.ts';
import type { StoredHistory } from '#functions/publish/handle-publish-job.ts';
import { collectGarbage } from '#functions/sweep/collect-garbage.ts';
import { sweep } from '#functions/sweep/sweep.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

const day = 24 * 3600_000;
const blocks = `T#${organisation}#C#${cluster}#B`;
const inputs = `T#${organisation}#I`;
let parts: ServiceParts;

beforeEach(async () => {
  parts = await openServiceParts();
  await publish('1');
  const object: JsonObject = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: 'web' },
      destination: { name: 'in-cluster', namespace: 'shop' },
      syncPolicy: { automated: {} },
    },
  };
  await declareObjects(parts, {
    organisation,
    objects: [object],
    homeCluster: cluster,
    defaultCluster: cluster,
    by: 'ada',
    trace: 't',
  });
  await drain(parts);
});
afterEach(() => parts.close());

async function publish(value: string): Promise<void> {
  parts.git.push('demo', { 'web/a.yaml': configMap('a', value) });
  const at = new Date(parts.clock.now()).toISOString();
  await parts.hints.send([
    JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: `${value}${at}`, at }),
  ]);
  await drain(parts);
}

const wait = (milliseconds: number) => parts.clock.setNow(parts.clock.now() + milliseconds);
const stored = async (partition: string) =>
  new Set((await parts.chunkStore.list(partition)).chunks.map((chunk) => chunk.digest));
const swept = (pollSeconds = 180) => sweep({ ...parts, pollSeconds }, organisation);

async function history(): Promise<StoredHistory[]> {
  const { rows } = await parts.store.query<StoredHistory>(applicationKey(organisation, 'web'), { prefix: 'HISTORY#' });
  return rows.map((row) => row.value);
}

async function rollback(of: number): Promise<void> {
  await parts.publish({
    organisation,
    application: 'web',
    generation: await takeTicket(parts.store, organisation),
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
    result: { status: 'repeat', of },
    trace: 't',
    at: new Date(parts.clock.now()).toISOString(),
  });
}

describe('polling', () => {
  it('asks for every repository at once, then when its time has come, with jitter (INV-02, TGT-07)', async () => {
    expect(await swept()).toMatchObject({ polled: 1 });
    expect(await swept()).toMatchObject({ polled: 0 });
    wait(179_000);
    expect(await swept()).toMatchObject({ polled: 0 });
    wait(62_000);
    expect(await swept()).toMatchObject({ polled: 1 });
  });

  it('finds a push whose webhook was lost (INV-02, FT-03)', async () => {
    parts.git.push('demo', { 'web/a.yaml': configMap('a', '2') });
    await swept();
    await drain(parts);

    const head = await readHead(parts.store, organisation, cluster, 'web');
    const text = await parts.snapshots.read(organisation, cluster, (head && rootOf(head.value).chunks[0]) ?? '');
    expect(Buffer.from(text ?? []).toString()).toContain('"value":"2"');
  });

  it('sends the hint that a webhook could not send, once, and keeps the flag where it cannot either (FT-04)', async () => {
    await swept();
    await drain(parts);
    await markDirty(parts, organisation, { repository: 'demo', trace: 'push-1' });
    const hints = { ...parts.hints, send: () => Promise.reject(new Error('throttled')) };
    await expect(sweep({ ...parts, hints, pollSeconds: 180 }, organisation)).rejects.toThrow('throttled');

    await swept();
    await swept();

    const sent = await parts.hints.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 });
    expect(sent.map(({ body }) => JSON.parse(body) as object)).toEqual([
      expect.objectContaining({ organisation, repository: 'demo', reason: 'push', trace: 'push-1' }),
    ]);
  });

  it('writes nothing where nothing moved, but for its own clock', async () => {
    await swept();
    await drain(parts);
    const before = await readHead(parts.store, organisation, cluster, 'web');
    wait(300_000);
    await swept();
    await drain(parts);

    expect(await readHead(parts.store, organisation, cluster, 'web')).toEqual(before);
  });

  it('tells pages about clusters, whose agents may have fallen silent', async () => {
    const rings: (string | undefined)[] = [];
    parts.bell.listen(`organisation:${organisation}`, (payload) => rings.push(payload));
    await swept();

    expect(rings).toContain(`cluster:${cluster}`);
  });
});

describe('retention', () => {
  it('looks for garbage once an hour, not at once after a start', async () => {
    for (let value = 2; value < 14; value += 1) await publish(String(value));
    wait(40 * day);
    expect(await swept()).toMatchObject({ removed: 0 });
    wait(3600_000);
    expect((await swept()).removed).toBeGreaterThan(0);
    expect(await swept()).toMatchObject({ removed: 0 });
  });

  it('keeps the last ten generations however old, and what is younger than thirty days (INV-14)', async () => {
    for (let value = 2; value <= 15; value += 1) await publish(String(value));
    wait(20 * day);
    await collectGarbage(parts, organisation);
    expect(await history()).toHaveLength(15);

    wait(20 * day);
    await collectGarbage(parts, organisation);
    const kept = await history();
    expect(kept).toHaveLength(10);
    expect(await stored(blocks)).toEqual(new Set(kept.flatMap((entry) => entry.content.chunks)));
  });

  it('keeps the head of an application whose history is gone', async () => {
    wait(40 * day);
    for (const entry of await history())
      await parts.store.remove(
        applicationKey(organisation, 'web'),
        `HISTORY#${String(entry.generation).padStart(14, '0')}`,
      );
    await collectGarbage(parts, organisation);

    expect((await stored(blocks)).size).toBe(1);
  });

  it('drops bundles after an hour, and outputs when their rows have expired (INV-36)', async () => {
    const output = (await parts.store.query<{ output: string }>(inputs, { prefix: 'OUTPUT#' })).rows[0]?.value.output;
    wait(2 * 3600_000);
    await collectGarbage(parts, organisation);
    expect(await stored(inputs)).toEqual(new Set([output]));

    wait(9 * day);
    await collectGarbage(parts, organisation);
    expect(await stored(inputs)).toEqual(new Set());
  });

  it('removes lines of the list whose application is long gone', async () => {
    const summary = await parts.store.get<object>(organisationKey(organisation), 'APP#web');
    const ghost = { ...summary?.value, id: 'ghost' };
    await parts.store.putMany([
      { partition: organisationKey(organisation), sort: 'APP#ghost', revision: 1, value: ghost },
    ]);
    await collectGarbage(parts, organisation);
    expect(await parts.store.get(organisationKey(organisation), 'APP#ghost')).toBeDefined();

    wait(2 * 3600_000);
    await collectGarbage(parts, organisation);
    expect(await parts.store.get(organisationKey(organisation), 'APP#ghost')).toBeUndefined();
    expect(await parts.store.get(organisationKey(organisation), 'APP#web')).toBeDefined();
  });

  it('never takes what a head or a kept generation names, whatever is published and brought back meanwhile (INV-14, FT-47)', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ act: fc.constant('publish' as const), value: fc.nat({ max: 4 }) }) },
      { weight: 2, arbitrary: fc.record({ act: fc.constant('rollback' as const), back: fc.nat({ max: 20 }) }) },
      { weight: 2, arbitrary: fc.record({ act: fc.constant('wait' as const), days: fc.nat({ max: 35 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          act: fc.constant('collect' as const),
          at: fc.nat({ max: 5 }),
          value: fc.nat({ max: 4 }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        // Values that may come back are in no kept generation any more, and their chunks are old.
        for (let value = 0; value < 15; value += 1) await publish(String(value));
        wait(40 * day);
        for (const one of steps) {
          if (one.act === 'publish') await publish(String(one.value));
          if (one.act === 'wait') wait(one.days * day);
          if (one.act === 'rollback') {
            const entry = (await history()).toReversed()[one.back];
            if (entry) await rollback(entry.generation);
          }
          if (one.act === 'collect') {
            // While the collector is at its n-th call, somebody pushes what was there long ago.
            const chunkStore = interrupted(parts.chunkStore, one.at, () => publish(String(one.value)));
            await collectGarbage({ ...parts, chunkStore }, organisation);
          }
          await expectAllThere();
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

/** Every chunk that the head or a generation of the history names can be read. */
async function expectAllThere(): Promise<void> {
  const there = await stored(blocks);
  const head = await parts.store.get<Head>(`T#${organisation}#C#${cluster}`, 'APP#web');
  const named = [
    ...(head ? rootOf(head.value).chunks : []),
    ...(await history()).flatMap((entry) => entry.content.chunks),
  ];
  expect(named.filter((digest) => !there.has(digest))).toEqual([]);
}

/** A chunk store that lets something else happen before its n-th call. */
function interrupted(store: ChunkStore, at: number, happen: () => Promise<void>): ChunkStore {
  let calls = 0;
  const before = async () => {
    calls += 1;
    if (calls === at) await happen();
  };
  return {
    ...store,
    list: async (...args) => before().then(() => store.list(...args)),
    remove: async (...args) => before().then(() => store.remove(...args)),
  };
}
