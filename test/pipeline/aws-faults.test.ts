import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { applications, createAwsWorld, type AwsWorld } from './aws-world.ts';
import { fairWeather, type Service, type Weather } from './aws-region.ts';

const everything: Service[] = ['dynamodb', 'sqs', 'kms', 'sign', 'lambda'];
const runs = Math.ceil(Number(process.env['HAWSER_SIMULATION_RUNS'] ?? 60) / 4);
let world: AwsWorld | undefined;

async function open(weather: Weather = fairWeather, seed = 1): Promise<AwsWorld> {
  world = await createAwsWorld(seed, weather);
  return world;
}
afterEach(async () => {
  await world?.close();
  world = undefined;
});

/** Published, fetched and reported as Git has it; nothing went back, and nothing lies among the dead letters. */
async function expectConverged(at: AwsWorld): Promise<void> {
  expect(at.breaches).toEqual([]);
  expect(at.dead()).toEqual([]);
  expect(await at.state()).toEqual(at.wanted());
}

async function outage(at: AwsWorld, services: readonly Service[], minutes: number): Promise<void> {
  for (const service of services) at.region.away.add(service);
  await at.pass(minutes);
  for (const service of services) at.region.away.delete(service);
}

describe('the functions on AWS', () => {
  it('publish what was pushed, and hear that it was applied', async () => {
    const at = await open();
    expect(await at.push('a', 'new')).toBe(202);
    await at.pass(3);

    await expectConverged(at);
  });

  it('lose nothing to throttling, lost answers, duplicates, any order and killed functions (INV-01, INV-04, INV-06; FT-02, FT-10, FT-18, FT-41, FT-44)', async () => {
    const weather = fc.record({
      throttled: fc.nat({ max: 40 }),
      cut: fc.nat({ max: 30 }),
      duplicated: fc.nat({ max: 200 }),
      killed: fc.nat({ max: 200 }),
    });
    const pushes = fc.array(
      fc.record({
        application: fc.constantFrom(...applications),
        value: fc.constantFrom('1', '2', '3'),
        pause: fc.nat({ max: 4 }),
        told: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(weather, pushes, fc.nat({ max: 2 ** 31 }), async (conditions, acts, seed) => {
        const at = await createAwsWorld(seed, conditions);
        try {
          for (const { application, value, pause, told } of acts) {
            expect(await at.push(application, value, { told })).toBeOneOf([0, 202, 503]);
            await at.pass(pause);
          }
          // Bad weather still: a third of an hour is enough for every try that this takes.
          await at.pass(20);
          at.region.weather = fairWeather;
          await at.pass(45);
          await expectConverged(at);
        } finally {
          await at.close();
        }
      }),
      { numRuns: runs },
    );
  });

  it('go on by themselves after an hour in which the region answered nothing; agents keep what they have (INV-02, INV-26; FT-03, FT-50, TGT-07)', async () => {
    const at = await open();
    await at.push('a', 'under way');
    const before = await at.state();
    await outage(at, everything, 30);
    // Webhooks reach nobody either: these pushes are found by polling.
    for (const id of applications) await at.push(id, 'unheard', { told: false });
    await outage(at, everything, 30);
    expect(await at.state()).toEqual(before);
    await at.pass(6);

    await expectConverged(at);
  });

  it.each([[['kms', 'sign']], [['sign']], [['kms']]] as [Service[]][])(
    'pause publishing while KMS refuses (%s) for an hour, and bury nothing for it (FT-48)',
    async (services) => {
      const at = await open();
      const before = await at.state();
      for (const service of services) at.region.away.add(service);
      for (const id of applications) {
        expect(await at.push(id, `during-${id}`)).toBe(202);
        await at.pass(20);
      }

      expect(await at.state()).toEqual(before);
      expect(at.dead()).toEqual([]);
      // Patience, not a hot loop.
      for (const [name, queue] of at.queues) expect({ name, received: queue.received }).toSatisfy(isCalm);
      for (const service of services) at.region.away.delete(service);
      await at.pass(7);
      await expectConverged(at);
    },
  );

  it.each([['dynamodb'], ['sqs']] as [Service][])(
    'answer for what they accept while %s is away for an hour: a hint is durable, or the Git host is told (INV-01, FT-04)',
    async (service) => {
      const at = await open();
      at.region.away.add(service);
      const status = await at.push('a', 'meanwhile');
      await at.pass(60);
      at.region.away.delete(service);
      await at.pass(7);

      expect(status).toBe(service === 'sqs' ? 202 : 503);
      await expectConverged(at);
    },
  );

  it('lose no accepted hint when no function gets to run for half an hour (INV-02, FT-13)', async () => {
    const at = await open();
    expect(await at.push('a', 'waits')).toBe(202);
    await outage(at, ['lambda'], 30);
    expect(at.dead()).toEqual([]);
    await at.pass(5);

    await expectConverged(at);
  });

  it('bring back what SQS itself made dead letters of when no function ran for hours (FT-13)', async () => {
    const at = await open();
    await at.push('a', 'waits');
    // So that what dies is a publish job, which no poll finds.
    await outage(at, ['sign'], 1);
    expect([at.queues.get('hints')?.size(), at.queues.get('publish-jobs')?.size()]).toEqual([0, 1]);
    await outage(at, ['lambda'], 5 * 60);
    expect(at.dead().length).toBeGreaterThan(0);
    await at.pass(25);

    await expectConverged(at);
  });

  it('bring back what a longer outage made dead letters of, with its reason (FT-48)', async () => {
    const at = await open();
    await at.push('a', 'waits');
    await outage(at, ['kms'], 5 * 60);
    const reasons = at.dead().map(({ reason }) => reason);
    expect(reasons).not.toEqual([]);
    for (const reason of reasons) expect(reason).toMatch(/^unavailable: kms: /);
    await at.pass(25);

    await expectConverged(at);
  });

  it('find by polling what lay in a queue for longer than SQS keeps it (INV-02, TGT-07)', async () => {
    const at = await open();
    await at.push('a', 'forgotten');
    at.region.away.add('lambda');
    at.skip(15);
    at.region.away.delete('lambda');
    await at.pass(6);

    await expectConverged(at);
  });
});

/** An hour of five-minute pauses, for some tens of messages and their polls. */
function isCalm({ received }: { received: number }): boolean {
  return received < 400;
}
