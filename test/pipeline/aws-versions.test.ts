import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import * as flow from '#shared/flow.ts';
import { Hint } from '#shared/messages/hint.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';
import { consumer, createSqsHandler, type SqsDeps } from '#functions/entry/aws/sqs.ts';
import { redriveWhenDue } from '#functions/sweep/redrive.ts';
import { openServiceParts, organisation, silentLog } from '#test/kit/service-parts.ts';
import { createRegion, fairWeather, type SimulatedQueue } from './aws-region.ts';
import { createAwsWorld } from './aws-world.ts';

const added = { fieldOfNewer: { deep: [1, 'two', null] } };

/** A store into which somebody newer writes: every row has a field that this version does not know. */
function writtenByNewer(store: StateStore, onRow: (row: Row<unknown>) => void): StateStore {
  const more = (row: Row<unknown>): Row<unknown> => {
    onRow(row);
    return { ...row, value: { ...(row.value as object), ...added } };
  };
  return {
    ...store,
    put: (row, condition) => store.put(more(row), condition),
    putMany: (rows) => store.putMany(rows.map(more)),
  };
}

/** Every object of a message has a field that this version does not know. */
function sentByNewer(body: string): string {
  return JSON.stringify(JSON.parse(body), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !('fieldOfNewer' in value)
      ? { ...value, fieldOfNewer: 1 }
      : value,
  );
}

describe('two versions at once (INV-45)', () => {
  it('read each other’s rows and messages: fields that were added disturb nobody (FT-110, FT-111)', async () => {
    const written = new Set<string>();
    const store = (one: StateStore) => writtenByNewer(one, ({ sort }) => void written.add(sort));
    const world = await createAwsWorld(1, fairWeather, { store, body: sentByNewer });
    onTestFinished(() => world.close());
    for (const value of ['2', '3']) {
      expect(await world.push('a', value)).toBe(202);
      await world.pass(5);
    }

    expect(world.dead()).toEqual([]);
    expect(world.breaches).toEqual([]);
    expect(await world.state()).toEqual(world.wanted());
    const kinds = new Set([...written].map((sort) => sort.split('#')[0]));
    for (const kind of ['APP', 'SPEC', 'STATUS', 'CHANGE', 'HISTORY', 'HEADREF', 'OUTPUT', 'SEEN'])
      expect(kinds).toContain(kind);
  });

  it('park what a newer one asks for, beside work that goes on, and look at it again and again (FT-110)', async () => {
    const world = await createAwsWorld(1, fairWeather);
    onTestFinished(() => world.close());
    const jobs = world.queues.get('publish-jobs') as SimulatedQueue;
    const before = jobs.received;
    await jobs.send([JSON.stringify(newerJob())]);
    await world.push('a', '2');
    await world.pass(40);

    expect(await world.state()).toEqual(world.wanted());
    expect(world.dead()).toMatchObject([
      { queue: 'publish-jobs', reason: expect.stringContaining('result.status "paused"') as string },
    ]);
    // Once at first, a job of the push, and once for each look of the sweep.
    expect(jobs.received - before).toBeGreaterThanOrEqual(4);
    expect(jobs.received - before).toBeLessThanOrEqual(5);
  });

  it('lose nothing that reached an older function: the newer one gets it once the older is gone (FT-110)', async () => {
    const parts = await openServiceParts();
    onTestFinished(() => parts.close());
    const region = createRegion(1, parts.clock, fairWeather);
    const queue = region.openQueue(flow.hints);
    const queues = new Map([['hints', queue]]);
    const handled: string[] = [];
    const handle = async (hint: Hint) => void handled.push(hint.repository);
    const Older = z.object({ ...Hint.shape, reason: z.enum(['push', 'poll']) });
    const older = functionOf(queue, consumer({ ...flow.hints, message: Older }, handle));
    const newer = functionOf(queue, consumer(flow.hints, handle));
    const names = Array.from({ length: 20 }, (_, index) => `r${index}`);
    const at = new Date(parts.clock.now()).toISOString();
    await redriveWhenDue({ ...parts, queues }, organisation);
    await queue.send(
      names.map((repository) => JSON.stringify({ organisation, repository, reason: 'declared', trace: 't', at })),
    );

    // While it is being deployed, either of the two gets a batch.
    await older();
    await newer();
    expect(handled).toHaveLength(10);
    expect(queue.dead).toHaveLength(10);
    parts.clock.setNow(parts.clock.now() + 15 * 60_000);
    expect(await redriveWhenDue({ ...parts, queues }, organisation)).toBe(10);
    await newer();

    expect(handled.toSorted()).toEqual(names.toSorted());
    expect([queue.dead, queue.size()]).toEqual([[], 0]);

    function functionOf(source: SimulatedQueue, stage: ReturnType<typeof consumer>): () => Promise<void> {
      const metrics = {
        count: () => undefined,
        observe: () => undefined,
        gauge: () => undefined,
        flush: () => undefined,
      };
      const deps: SqsDeps = {
        queues,
        bodies: parts.chunkStore,
        clock: parts.clock,
        log: silentLog,
        metrics,
        withFields: (_fields, work) => work(),
      };
      const handler = createSqsHandler(deps, [stage], { concurrency: 10 });
      return async () => {
        const batch = source.poll(10);
        const records = batch.map(({ id, body, receives, receipt }) => ({
          messageId: id,
          receiptHandle: receipt,
          body,
          attributes: { ApproximateReceiveCount: String(receives) },
          eventSourceARN: 'arn:aws:sqs:eu-central-1:123456789012:hawser-test-hints',
        }));
        const { batchItemFailures } = await handler({ Records: records } as never, {});
        expect(batchItemFailures).toEqual([]);
        source.settle(batch.map(({ id }) => id));
      };
    }
  });
});

function newerJob(): object {
  return {
    organisation,
    application: 'a',
    generation: 99,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
    result: { status: 'paused' },
    trace: 't',
    at: '2026-01-01T00:00:00.000Z',
  };
}
