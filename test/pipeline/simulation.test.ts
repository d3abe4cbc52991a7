import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStatus } from '#shared/state/status.ts';
import { rootOf } from '#shared/state/heads.ts';
import { organisation } from '#test/kit/service-parts.ts';
import {
  contentOf,
  createWorld,
  expectedContent,
  headOf,
  type Act,
  type Change,
  type Declared,
  type Faults,
  type World,
} from './simulation-world.ts';

const value = fc.constantFrom('1', '2', '3');
const pause = fc.nat({ max: 60 });
const back = fc.nat({ max: 5 });

/** What can be done to these applications. */
function actsOn(applications: readonly Declared[]) {
  const ids = applications.map(({ id }) => id);
  const application = fc.constantFrom(...ids);
  const where = fc.constantFrom('base', ...ids);
  const change: fc.Arbitrary<Change> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('value' as const), where, value }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('resources' as const), application, withBase: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('broken' as const), application }) },
  );
  const pushes: fc.Arbitrary<Act> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ act: fc.constant('push' as const), change, pause }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('reset' as const), back, pause }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('revert' as const), back, pause }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('poll' as const), pause }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('wait' as const), seconds: fc.nat({ max: 60 }), pause }) },
  );
  const declarations: fc.Arbitrary<Act> = fc.record({
    act: fc.constant('declare' as const),
    application,
    namespace: fc.constantFrom('default', 'shop'),
    pause,
  });
  const syncs: fc.Arbitrary<Act> = fc.record({ act: fc.constant('sync' as const), application, pause });
  const rollbacks: fc.Arbitrary<Act> = fc.record({ act: fc.constant('rollback' as const), application, back, pause });
  return { pushes, declarations, syncs, rollbacks };
}

const applications: Declared[] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
const { pushes, declarations, syncs, rollbacks } = actsOn(applications);

/** A chain, and one beside it. */
const dependent: Declared[] = [
  { id: 'flux-a', dependsOn: [] },
  { id: 'flux-b', dependsOn: ['flux-a'] },
  { id: 'flux-c', dependsOn: ['flux-b', 'flux-a'] },
];
const onDependent = actsOn(dependent);

const seed = fc.integer({ min: 0, max: 2 ** 31 });
const runs = Number(process.env['HAWSER_SIMULATION_RUNS'] ?? 60);

async function simulate(
  faults: Faults,
  acts: readonly Act[],
  at: number,
  check: (world: World) => Promise<void>,
  declared: readonly Declared[] = applications,
): Promise<void> {
  const world = await createWorld(at, declared, faults);
  try {
    await world.run(acts);
    expect(world.breaches).toEqual([]);
    await check(world);
  } finally {
    await world.close();
  }
}

/** Every head carries what is declared and lies in Git, or the application says why it cannot; the agent knows the heads. */
async function checkConverged(world: World, declared: readonly Declared[] = applications): Promise<void> {
  for (const { id } of declared) {
    const head = await headOf(world, id);
    const content = head === undefined ? undefined : await contentOf(world.parts, head);
    const expected = await expectedContent(world, id);
    const status = await readStatus(world.parts.store, organisation, id);
    const failures = status?.sourceConditions.map((condition) => condition.type) ?? [];
    if (expected === 'broken') expect({ id, failures }).toEqual({ id, failures: ['ComparisonError'] });
    else expect({ id, content, failures }).toEqual({ id, content: expected, failures: [] });
    expect({ id, agent: world.agent.get(id) }).toEqual({ id, agent: head?.generation });
    expect({ id, desired: status?.desired?.generation }).toEqual({ id, desired: head?.generation });
  }
}

/** Nobody waits for a generation that nothing will bring any more: each is there, or the dependency says why it cannot be. */
async function checkNobodyIsStranded(world: World): Promise<void> {
  for (const { id } of dependent) {
    const head = await headOf(world, id);
    for (const { application, generation } of head === undefined ? [] : rootOf(head).dependsOn) {
      const other = (await headOf(world, application))?.generation ?? 0;
      const isBroken = (await expectedContent(world, application)) === 'broken';
      expect({ id, application, generation, other, met: isBroken || other >= generation }).toMatchObject({ met: true });
    }
  }
}

describe('plan, render and publish under everything that queues, crashes and people can do', () => {
  it('end with the last push and declaration published, or a visible reason (INV-01, INV-02, INV-04, INV-05, INV-06, INV-08, INV-10, INV-13; FT-02, FT-10, FT-18, FT-40, FT-42)', async () => {
    const acts = fc.array(fc.oneof({ weight: 4, arbitrary: pushes }, declarations), { maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(acts, seed, (script, at) =>
        simulate({ crashes: 12, duplicates: 10, concurrency: 4 }, script, at, checkConverged),
      ),
      { numRuns: runs },
    );
  });

  it('lose no push to somebody who asks for a sync meanwhile (INV-02, INV-06; FT-12, FT-41)', async () => {
    const acts = fc.array(fc.oneof({ weight: 2, arbitrary: pushes }, syncs), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(acts, seed, (script, at) =>
        simulate({ crashes: 8, duplicates: 10, concurrency: 4 }, script, at, checkConverged),
      ),
      { numRuns: runs },
    );
  });

  it('bring back an older generation as a new one, and nothing else (INV-06, INV-08, INV-10)', async () => {
    const acts = fc.array(fc.oneof({ weight: 2, arbitrary: pushes }, rollbacks, syncs), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(acts, seed, (script, at) =>
        simulate({ crashes: 8, duplicates: 10, concurrency: 4 }, script, at, async (world) => {
          if (!script.some((act) => act.act === 'rollback')) await checkConverged(world);
          for (const { id } of applications) expect(world.agent.get(id)).toBe((await headOf(world, id))?.generation);
        }),
      ),
      { numRuns: runs },
    );
  });

  it('render each input once, however often a push is told (INV-04; FT-02, FT-16)', async () => {
    const whole = pushes.filter((act) => act.act !== 'push' || act.change.kind !== 'broken');
    const acts = fc.array(fc.oneof({ weight: 4, arbitrary: whole }, declarations), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(acts, seed, (script, at) =>
        // One after another, each push with all that it leads to: what runs at the same time may render twice.
        simulate({ crashes: 0, duplicates: 40, concurrency: 1 }, script, at, async (world) => {
          await checkConverged(world);
          expect(world.parts.renderer.renders).toBeLessThanOrEqual(world.inputs.size + world.repeatedRenders);
        }),
      ),
      { numRuns: Math.ceil(runs / 2) },
    );
  });

  it('strand nobody who depends on others: what is waited for comes (INV-02, INV-39; FT-02, FT-18, FT-42)', async () => {
    const of = onDependent;
    const acts = fc.array(fc.oneof({ weight: 5, arbitrary: of.pushes }, of.declarations, of.syncs), { maxLength: 12 });
    const withRollbacks = fc.array(fc.oneof({ weight: 3, arbitrary: of.pushes }, of.rollbacks), { maxLength: 8 });
    const check = (script: readonly Act[]) => async (world: World) => {
      if (!script.some((act) => act.act === 'rollback')) await checkConverged(world, dependent);
      await checkNobodyIsStranded(world);
    };
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 3, arbitrary: acts }, withRollbacks), seed, (script, at) =>
        simulate({ crashes: 10, duplicates: 15, concurrency: 4 }, script, at, check(script), dependent),
      ),
      { numRuns: runs },
    );
  });
});
