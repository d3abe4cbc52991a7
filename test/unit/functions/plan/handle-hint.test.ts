import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { Hint } from '#shared/messages/hint.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readHead, rootOf } from '#shared/state/heads.ts';
import { readStatus } from '#shared/state/status.ts';
import { createPlanHandler } from '#functions/plan/handle-hint.ts';
import { readHeadRef } from '#functions/plan/head-ref.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(() => parts.close());

let hints = 0;
const hintOf = (more: Partial<Hint> = {}): Hint => ({
  organisation,
  repository: 'demo',
  reason: 'push',
  trace: `hint-${(hints += 1)}`,
  at: 'now',
  ...more,
});

async function register(names: readonly string[], source: JsonObject = {}): Promise<void> {
  const objects = names.map((name) => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: name, ...source },
      destination: { name: 'in-cluster', namespace: 'shop' },
    },
  }));
  const request = { organisation, objects, homeCluster: cluster, defaultCluster: cluster, by: 'ada', trace: 't' };
  await declareObjects(parts, request);
}

async function declare(names: readonly string[], source: JsonObject = {}): Promise<void> {
  await register(names, source);
  await drain(parts);
}

const filesOf = (names: readonly string[], value = '1') =>
  Object.fromEntries(names.map((name) => [`${name}/a.yaml`, configMap('a', value)]));

async function valueOf(application: string): Promise<string | undefined> {
  const head = await readHead(parts.store, organisation, cluster, application);
  if (head === undefined) return undefined;
  const text = await parts.snapshots.read(organisation, cluster, rootOf(head.value).chunks[0] ?? '');
  return (JSON.parse(Buffer.from(text ?? []).toString()) as { data: { value: string } }).data.value;
}

/** A store that lists what was written. */
function counting(store: StateStore): { store: StateStore; written: string[] } {
  const written: string[] = [];
  return {
    written,
    store: {
      ...store,
      put: async (row, condition) => {
        const done = await store.put(row, condition);
        if (done) written.push(`${row.partition} ${row.sort}`);
        return done;
      },
      putMany: async (rows) => {
        for (const row of rows) written.push(`${row.partition} ${row.sort}`);
        return store.putMany(rows);
      },
    },
  };
}

const names = Array.from({ length: 40 }, (_, index) => `app-${index}`);

describe('a hint', () => {
  it('for a repository that nobody registered is dropped (NT-08)', async () => {
    await parts.plan(hintOf({ repository: 'absent' }));

    expect(await parts.renderJobs.counts()).toMatchObject({ ready: 0 });
  });

  it('that tells of nothing new writes nothing', async () => {
    parts.git.push('demo', filesOf(names));
    await declare(names);
    const { store, written } = counting(parts.store);
    await createPlanHandler({ ...parts, store, chunks: parts.inputs })(hintOf());

    expect(written).toEqual([]);
  });

  it('of a push that touches one of many applications renders one, and writes for that one alone', async () => {
    parts.git.push('demo', filesOf(names));
    await declare(names);
    parts.git.push('demo', { ...filesOf(names), 'app-7/a.yaml': configMap('a', '2') });
    const { store, written } = counting(parts.store);
    const { renders } = parts.renderer;
    await createPlanHandler({ ...parts, store, chunks: parts.inputs })(hintOf());
    await drain(parts);

    expect(parts.renderer.renders).toBe(renders + 1);
    // The claim, and that it is settled.
    expect(written).toEqual([`T#${organisation}#R#demo HEADREF#HEAD`, `T#${organisation}#R#demo HEADREF#HEAD`]);
    expect(await valueOf('app-7')).toBe('2');
  });

  it('costs what the push changes on an instance that has seen nothing of the repository, too', async () => {
    parts.git.push('demo', filesOf(names));
    await declare(names);
    parts.git.push('demo', { ...filesOf(names), 'app-7/a.yaml': configMap('a', '2') });
    const { store, written } = counting(parts.store);
    // As an instance that has just started: it compares only what it has opened itself.
    const opened = new Set<string>();
    const git: typeof parts.git = {
      ...parts.git,
      open(access, commit) {
        opened.add(commit);
        return parts.git.open(access, commit);
      },
      changedPaths: async (access, from, to) =>
        opened.has(from) ? parts.git.changedPaths(access, from, to) : undefined,
    };
    await createPlanHandler({ ...parts, store, git, chunks: parts.inputs })(hintOf());

    expect(opened.size).toBe(2);
    expect(written).toEqual([`T#${organisation}#R#demo HEADREF#HEAD`, `T#${organisation}#R#demo HEADREF#HEAD`]);
  });

  it('looks at everything where the host has forgotten the commit before (FT-21)', async () => {
    parts.git.push('demo', filesOf(names));
    await declare(names);
    parts.git.push('demo', { ...filesOf(names), 'app-7/a.yaml': configMap('a', '2') });
    const last = (await parts.git.resolve({ organisation, repository: 'demo', url: 'https://git.test/demo.git' }, ''))
      .commit;
    const git: typeof parts.git = {
      ...parts.git,
      open(access, commit) {
        if (commit !== last) throw new HawserError('revision-not-found', `there is no commit ${commit}`);
        return parts.git.open(access, commit);
      },
      changedPaths: async () => undefined,
    };
    await createPlanHandler({ ...parts, git, chunks: parts.inputs })(hintOf());
    await drain(parts);

    expect(await valueOf('app-7')).toBe('2');
  });

  it('of a push to a file that nobody reads renders nothing', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web']);
    const before = await readHead(parts.store, organisation, cluster, 'web');
    parts.git.push('demo', { ...filesOf(['web']), 'readme.md': 'hello' });
    await parts.plan(hintOf());
    await drain(parts);

    expect(await readHead(parts.store, organisation, cluster, 'web')).toEqual(before);
  });

  it('that comes while another plan is at the same commit waits for it instead of doing its work again (FT-17)', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web']);
    parts.git.push('demo', filesOf(['web'], '2'));
    const second = parts.plan;
    let deferred: Promise<void> | undefined;
    const open: typeof parts.git.open = async (...args) => {
      deferred ??= second(hintOf());
      await deferred;
      return parts.git.open(...args);
    };
    const { renders } = parts.renderer;
    await createPlanHandler({ ...parts, git: { ...parts.git, open }, chunks: parts.inputs })(hintOf());

    expect(await parts.hints.counts()).toMatchObject({ delayed: 1 });
    await drain(parts);
    expect(parts.renderer.renders).toBe(renders + 1);
  });
});

describe('a race', () => {
  it('of a declaration with a push ends with the push, also when the plan of the declaration read before it (INV-05)', async () => {
    parts.git.push('demo', filesOf(['web']));
    await register(['web']);
    const [declared] = await parts.hints.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 60 });
    let raced = false;
    const open: typeof parts.git.open = async (access, commit) => {
      if (!raced) {
        raced = true;
        // The plan has read the ref and claimed it; now somebody pushes, and that is planned before it goes on.
        parts.git.push('demo', filesOf(['web'], '2'));
        await parts.plan(hintOf());
      }
      return parts.git.open(access, commit);
    };
    await createPlanHandler({ ...parts, git: { ...parts.git, open }, chunks: parts.inputs })(
      JSON.parse(declared?.body ?? '') as Hint,
    );
    await drain(parts);

    expect(await valueOf('web')).toBe('2');
  });

  it('of a plan that read the ref early with one that read it late ends with what the late one read (INV-05)', async () => {
    parts.git.push('demo', filesOf(['web', 'other']));
    await declare(['other']);
    await register(['web']);
    const [declared] = await parts.hints.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 60 });
    let raced = false;
    const resolve: typeof parts.git.resolve = async (...args) => {
      const early = await parts.git.resolve(...args);
      if (!raced) {
        raced = true;
        parts.git.push('demo', filesOf(['web', 'other'], '2'));
        await parts.plan(hintOf());
      }
      return early;
    };
    await createPlanHandler({ ...parts, git: { ...parts.git, resolve }, chunks: parts.inputs })(
      JSON.parse(declared?.body ?? '') as Hint,
    );
    await drain(parts);

    expect(await valueOf('web')).toBe('2');
    expect(await valueOf('other')).toBe('2');
  });
});

describe('what an application reads', () => {
  const kustomization = (...resources: string[]) => JSON.stringify({ resources });
  const base = (value: string) => ({
    'base/kustomization.yaml': kustomization('b.yaml'),
    'base/b.yaml': configMap('b', value),
  });

  it('is followed when it changes: a new base from now on, an old one no more', async () => {
    const own = { 'web/a.yaml': configMap('a', '1') };
    parts.git.push('demo', { ...own, ...base('1'), 'web/kustomization.yaml': kustomization('a.yaml') });
    await declare(['web']);
    parts.git.push('demo', { ...own, ...base('1'), 'web/kustomization.yaml': kustomization('a.yaml', '../base') });
    await parts.plan(hintOf());
    await drain(parts);
    const { renders } = parts.renderer;

    parts.git.push('demo', { ...own, ...base('2'), 'web/kustomization.yaml': kustomization('a.yaml', '../base') });
    await parts.plan(hintOf());
    await drain(parts);
    expect(parts.renderer.renders).toBe(renders + 1);

    parts.git.push('demo', { ...own, ...base('2'), 'web/kustomization.yaml': kustomization('a.yaml') });
    await parts.plan(hintOf());
    await drain(parts);
    parts.git.push('demo', { ...own, ...base('3'), 'web/kustomization.yaml': kustomization('a.yaml') });
    await parts.plan(hintOf());
    await drain(parts);
    expect(parts.renderer.renders).toBe(renders + 1);
  });

  it('that cannot be found is looked for with every push, wherever the mend may be', async () => {
    parts.git.push('demo', { 'web/kustomization.yaml': kustomization('../base') });
    await declare(['web']);
    const conditions = async () => (await readStatus(parts.store, organisation, 'web'))?.sourceConditions ?? [];
    expect(await conditions()).toMatchObject([{ type: 'ComparisonError' }]);

    parts.git.push('demo', { 'web/kustomization.yaml': kustomization('../base'), ...base('1') });
    await parts.plan(hintOf());
    await drain(parts);
    expect(await conditions()).toEqual([]);
    expect(await valueOf('web')).toBe('1');
  });
});

describe('trouble with a source', () => {
  it('is one line for everybody who reads it, and is over with the next read', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web']);
    parts.git.fail(new HawserError('repository-unreachable', 'no route', { retry: 'later' }));
    await parts.plan(hintOf());
    expect((await readHeadRef(parts.store, organisation, 'demo', 'HEAD'))?.value.error).toMatchObject({ failures: 1 });

    parts.git.fail(undefined);
    await parts.plan(hintOf());
    expect((await readHeadRef(parts.store, organisation, 'demo', 'HEAD'))?.value.error).toBeUndefined();
  });

  it('is told to open pages when it comes and when it goes, not each time that it is still there', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web']);
    const rings: (string | undefined)[] = [];
    parts.bell.listen(`organisation:${organisation}`, (payload) => rings.push(payload));
    parts.git.fail(new HawserError('repository-unreachable', 'no route', { retry: 'later' }));
    for (let time = 0; time < 3; time += 1) await parts.plan(hintOf());
    expect(rings).toEqual(['source:demo']);

    parts.git.fail(undefined);
    for (let time = 0; time < 3; time += 1) await parts.plan(hintOf());
    expect(rings).toEqual(['source:demo', 'source:demo']);
  });

  it('does not lose the push that came meanwhile (FT-22)', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web']);
    parts.git.push('demo', filesOf(['web'], '2'));
    const open: typeof parts.git.open = () =>
      Promise.reject(new HawserError('repository-unreachable', 'cut off', { retry: 'later' }));
    await createPlanHandler({ ...parts, git: { ...parts.git, open }, chunks: parts.inputs })(hintOf());
    await parts.plan(hintOf({ reason: 'poll' }));
    await drain(parts);

    expect(await valueOf('web')).toBe('2');
  });

  it('that a branch is gone keeps what runs as long as somebody reads it, and is forgotten after (NT-11)', async () => {
    parts.git.push('demo', filesOf(['web']));
    await declare(['web'], { targetRevision: 'refs/heads/gone' });
    const row = () => readHeadRef(parts.store, organisation, 'demo', 'refs/heads/gone');
    await parts.plan(hintOf());
    expect((await row())?.value.error).toMatchObject({ code: 'revision-not-found' });

    await declare(['web'], { targetRevision: 'HEAD' });
    await parts.plan(hintOf());
    expect(await row()).toBeUndefined();
    expect(await valueOf('web')).toBe('1');
  });
});
