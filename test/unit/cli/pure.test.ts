import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { candidatesAfter } from '#cli/commands/completion.ts';
import { chosenEntry } from '#cli/commands/rollback.ts';
import { keyOfTyped } from '#cli/commands/sync.ts';
import { findTarget, loginFile, normaliseServer, removeLogin, saveLogin } from '#cli/config.ts';
import {
  checkApplications,
  checkClusters,
  checkQueues,
  checkRepositories,
  checkVersions,
  checkWebhooks,
} from '#cli/doctor-checks.ts';
import { parseDuration } from '#cli/duration.ts';
import { matching } from '#cli/find-application.ts';
import { eventColumns } from '#cli/get/columns.ts';
import { judge } from '#cli/goal.ts';
import { kindOf, parseSelector } from '#cli/kinds.ts';
import { nearest } from '#cli/near.ts';
import { inReadingOrder, ownedPart, withoutServerFields } from '#cli/object-diff.ts';
import { usedVerb } from '#cli/program.ts';
import { readServerSentEvents } from '#cli/server-sent-events.ts';
import { treeLines } from '#cli/tree-lines.ts';
import type { ApplicationDetail, EventView } from '#shared/messages/api.ts';
import { summaryOf } from '#test/kit/fixture-api.ts';
import { fixtureData } from '#test/kit/fixture-data.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

function application(id: string, change: Partial<ApplicationDetail> = {}): ApplicationDetail {
  const found = fixtureData().applications.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no application ${id}`);
  return { ...found, ...change };
}

describe('server and token', () => {
  it('come from option, environment, login file and run.json, in this order', async () => {
    await using folder = await temporaryFolder();
    const below = join(folder.path, 'a', 'b');
    mkdirSync(below, { recursive: true });
    mkdirSync(join(folder.path, '.hawser'));
    const run = { url: 'http://127.0.0.1:1', token: 'run' };
    writeFileSync(join(folder.path, '.hawser', 'run.json'), JSON.stringify(run));
    const place = { env: { XDG_CONFIG_HOME: join(folder.path, 'config') }, cwd: below, home: '/nonexistent' };
    expect(findTarget({}, place)).toMatchObject({ server: run.url, token: 'run', source: 'run' });

    saveLogin(loginFile(place), { server: 'https://login.example', token: 'login' });
    expect(findTarget({}, place)).toMatchObject({ server: 'https://login.example', token: 'login', source: 'login' });

    const withEnvironment = { ...place, env: { ...place.env, HAWSER_SERVER: 'env.example', HAWSER_TOKEN: 'env' } };
    expect(findTarget({}, withEnvironment)).toMatchObject({
      server: 'https://env.example',
      token: 'env',
      source: 'environment',
    });
    expect(findTarget({ server: 'https://option.example', token: 'option' }, withEnvironment)).toMatchObject({
      server: 'https://option.example',
      token: 'option',
      source: 'option',
    });
  });

  it('never go to another server than the one that the token was stored with', async () => {
    await using folder = await temporaryFolder();
    const place = { env: { XDG_CONFIG_HOME: folder.path }, cwd: '/', home: '/' };
    saveLogin(loginFile(place), { server: 'https://mine.example', token: 'mine' });
    expect(findTarget({ server: 'https://other.example' }, place).token).toBeUndefined();
    expect(findTarget({ server: 'https://mine.example/' }, place).token).toBe('mine');
    expect(findTarget({ token: 'given' }, place)).toMatchObject({ server: 'https://mine.example', token: 'given' });
  });

  it('are kept in a file that only its owner can read', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'hawser', 'login.json');
    saveLogin(file, { server: 'https://a', token: 'one' });
    chmodSync(file, 0o644);
    saveLogin(file, { server: 'https://a', token: 'two' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([removeLogin(file), removeLogin(file)]).toEqual([true, false]);
  });

  it('are asked for where there is none, and a damaged file is named', async () => {
    await using folder = await temporaryFolder();
    const place = { env: { XDG_CONFIG_HOME: folder.path }, cwd: '/', home: '/' };
    expect(() => findTarget({}, place)).toThrow('there is no server');
    mkdirSync(join(folder.path, 'hawser'));
    writeFileSync(loginFile(place), '{');
    expect(() => findTarget({}, place)).toThrow(/login\.json is damaged/);
  });

  it('takes addresses as people write them', () => {
    expect(normaliseServer('hawser.example.com/')).toBe('https://hawser.example.com');
    expect(normaliseServer('localhost:8080')).toBe('http://localhost:8080');
    expect(normaliseServer('https://example.com/hawser/')).toBe('https://example.com/hawser');
    expect(() => normaliseServer('ftp://x')).toThrow('not an http address');
    expect(() => normaliseServer('https://')).toThrow('not the address');
  });
});

describe('what people type', () => {
  it('finds applications by id, by name and by namespace/name', () => {
    const all = fixtureData().applications.map(summaryOf);
    const ids = (typed: string): string[] => matching(all, typed).map(({ id }) => id);
    expect(ids('team-a-redis')).toEqual(['team-a-redis']);
    expect(ids('redis')).toEqual(['redis']);
    expect(ids('team-a/redis')).toEqual(['team-a-redis']);
    expect(ids('flux-system/infra')).toEqual(['infra']);
    expect(ids('red')).toEqual([]);
  });

  it('finds applications by what `-o name` prints, and as kubectl and flux have it', () => {
    const all = fixtureData().applications.map(summaryOf);
    const ids = (typed: string): string[] => matching(all, typed).map(({ id }) => id);
    expect(ids('application.argoproj.io/redis')).toEqual(['redis']);
    expect(ids('app/podinfo-staging')).toEqual(['podinfo-staging']);
    expect(ids('kustomization.kustomize.toolkit.fluxcd.io/infra')).toEqual(['infra']);
    expect(ids('ks/flux-system/infra')).toEqual(['infra']);
    expect(ids('app/infra')).toEqual([]);
    expect(ids('deployment/infra')).toEqual([]);
  });

  it('suggests what looks alike', () => {
    const names = ['podinfo-production', 'podinfo-staging', 'redis'];
    expect(nearest('podinfo-prodction', names)).toEqual(['podinfo-production']);
    expect(nearest('rdeis', names)).toEqual(['redis']);
    expect(nearest('podinfo', names)).toEqual(['podinfo-staging', 'podinfo-production']);
    expect(nearest('grafana', names)).toEqual([]);
  });

  it('reads kinds with all their names', () => {
    expect(kindOf('App')).toBe('applications');
    expect(kindOf('applications.argoproj.io')).toBe('applications');
    expect(kindOf('ks')).toBe('kustomizations');
    expect(kindOf('projects')).toBe('appprojects');
    expect(() => kindOf('aps')).toThrow('there is no kind "aps"');
  });

  it.each([
    ['90', 90_000],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5m', 90_000],
    ['250ms', 250],
  ])('reads the duration %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(['', 'soon', '5 m', '-1s', '5d'])('refuses the duration %j', (text) => {
    expect(() => parseDuration(text)).toThrow('is not a duration');
  });

  it('selects labels as kubectl does', () => {
    const labels = { team: 'shop', env: 'production' };
    const fits = (selector: string): boolean => parseSelector(selector)(labels);
    expect(fits('team=shop')).toBe(true);
    expect(fits('team==shop,env!=staging')).toBe(true);
    expect(fits('env in (staging, production),team')).toBe(true);
    expect(fits('env notin (staging)')).toBe(true);
    expect(fits('!team')).toBe(false);
    expect(fits('tier')).toBe(false);
    expect(fits('tier!=x')).toBe(true);
    expect(fits('tier in (x)')).toBe(false);
    expect(() => parseSelector('a=b=c')).toThrow('is not a label selector');
  });

  it('knows which command is meant, wherever the options stand', () => {
    expect(usedVerb(['--server', 'x', 'get', 'apps'])).toBe('get');
    expect(usedVerb(['help', 'sync'])).toBe('sync');
    expect(usedVerb(['-o', 'json'])).toBeUndefined();
  });

  it('names objects as argocd does', () => {
    const detail = application('podinfo-production');
    const key = 'apps/Deployment/podinfo-production/podinfo';
    expect(keyOfTyped('apps:Deployment:podinfo-production/podinfo', detail)).toBe(key);
    expect(keyOfTyped('apps:deployment:podinfo', detail)).toBe(key);
    expect(() => keyOfTyped('apps:Deployment:podinf', detail)).toThrow('has no object');
    expect(() => keyOfTyped('Deployment/podinfo', detail)).toThrow('is not an object');
  });

  it('is completed by what fits: commands, kinds, names of applications', async () => {
    const names = async (): Promise<string[]> => ['podinfo', 'redis'];
    expect(await candidatesAfter([], names)).toContain('sync');
    expect(await candidatesAfter(['get'], names)).toContain('applications');
    expect(await candidatesAfter(['sync', '--wait'], names)).toEqual(['podinfo', 'redis']);
    expect(await candidatesAfter(['get', 'clusters'], names)).toEqual([]);
    expect(await candidatesAfter([], names)).toContain('token');
    expect(await candidatesAfter(['token'], names)).toEqual(['list', 'add', 'revoke']);
    expect(await candidatesAfter(['cluster'], names)).toEqual([
      'add',
      'list',
      'wait',
      'renew',
      'revoke',
      'restore',
      'remove',
    ]);
  });
});

describe('waiting', () => {
  const asked = { kind: 'generation', generation: 42, startedBefore: undefined, healthy: true } as const;
  const operation = application('podinfo-staging').operationState!;

  it('is over when everything that was asked for holds', () => {
    const healthy = application('podinfo-staging');
    expect(judge([{ kind: 'synced' }, { kind: 'healthy' }], healthy).state).toBe('reached');
    expect(judge([{ kind: 'synced' }, { kind: 'healthy' }], { ...healthy, health: 'Progressing' }).state).toBe('open');
    expect(judge([{ kind: 'healthy' }], { ...healthy, stale: true })).toMatchObject({ state: 'open', why: /silent/ });
    expect(judge([{ kind: 'deleted' }], healthy).state).toBe('open');
    expect(judge([{ kind: 'deleted' }], undefined).state).toBe('reached');
    expect(judge([{ kind: 'healthy' }], undefined).state).toBe('failed');
    const declared = (uid: string) => ({ declared: { metadata: { uid } }, parent: 'root' });
    expect(judge([{ kind: 'deleted', uid: '1' }], { ...healthy, ...declared('1') }).state).toBe('open');
    expect(judge([{ kind: 'deleted', uid: '1' }], { ...healthy, ...declared('2') })).toMatchObject({
      state: 'reached',
      why: 'deleted, and declared again by root',
    });
  });

  it('does not take an older operation for the one that was asked for', () => {
    expect(judge([asked], application('podinfo-staging')).state).toBe('open');
    const done = application('podinfo-staging', { operationState: { ...operation, generation: 42 } });
    expect(judge([asked], done).state).toBe('reached');
    expect(judge([asked], { ...done, health: 'Progressing' }).state).toBe('open');
    expect(judge([{ ...asked, healthy: false }], { ...done, health: 'Progressing' }).state).toBe('reached');
  });

  it('says what keeps it from being applied rather than what that does to its health', () => {
    const failing = application('podinfo-staging', {
      sync: 'OutOfSync',
      health: 'Missing',
      healthMessage: 'none of its objects is in the cluster',
      message: 'namespaces "shop" not found',
    });
    expect(judge([{ kind: 'synced' }], failing).why).toContain('namespaces "shop" not found');
    expect(judge([{ kind: 'healthy' }], { ...failing, sync: 'Synced' }).why).toContain('none of its objects');
    const hold = { reason: 'all 4 objects would go', listDigest: 'x', objects: [], since: 'now' };
    const held = { ...failing, held: true, hold } as unknown as ApplicationDetail;
    expect(judge([{ kind: 'synced' }], held).why).toContain(
      'all 4 objects would go; look at them with `hawser confirm',
    );
  });

  it('goes by the start of the operation where the service named no generation', () => {
    const goal = { ...asked, generation: undefined, startedBefore: operation.startedAt };
    expect(judge([goal], application('podinfo-staging', { operationState: operation })).state).toBe('open');
    const next = { ...operation, startedAt: new Date().toISOString() };
    expect(judge([goal], application('podinfo-staging', { operationState: next })).state).toBe('reached');
  });

  it('fails where the operation failed, and says which object', () => {
    const failed = {
      ...operation,
      generation: 42,
      phase: 'Failed' as const,
      message: 'one or more objects failed to apply',
      resources: [
        {
          group: '',
          version: 'v1',
          kind: 'Service',
          namespace: 'a',
          name: 'b',
          status: 'SyncFailed',
          message: 'port is taken',
          action: 'failed',
          phase: 'Sync',
        },
      ],
    };
    const verdict = judge([asked], application('podinfo-staging', { operationState: failed }));
    expect(verdict).toMatchObject({
      state: 'failed',
      why: expect.stringContaining('Service b: port is taken') as string,
    });
  });

  it('fails with a way out where deletions are held back (G-13)', () => {
    const held = application('monitoring', { operationState: { ...operation, generation: 42 } });
    expect(judge([asked], held)).toMatchObject({
      state: 'failed',
      hint: expect.stringContaining('hawser confirm monitoring') as string,
    });
  });
});

describe('comparing objects', () => {
  it('looks only at what is desired: defaults and fields of others are no difference', () => {
    const desired = {
      spec: { replicas: 3, template: { containers: [{ name: 'a', image: 'x:1' }] }, args: ['1', '2'] },
    };
    const live = {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        template: {
          containers: [
            { name: 'sidecar', image: 's' },
            { name: 'a', image: 'x:1', imagePullPolicy: 'Always' },
          ],
        },
        args: ['1', '2', '3'],
      },
      status: {},
    };
    expect(ownedPart(desired, live)).toEqual({
      spec: { replicas: 1, template: { containers: [{ name: 'a', image: 'x:1' }] }, args: ['1', '2', '3'] },
    });
    expect(ownedPart(desired, undefined)).toBeUndefined();
    expect(ownedPart(desired, desired)).toEqual(desired);
  });

  it('shows a surplus object without what the server adds', () => {
    const live = {
      kind: 'ConfigMap',
      metadata: { name: 'a', uid: 'u', managedFields: [], labels: {} },
      data: {},
      status: {},
    };
    expect(withoutServerFields(live)).toEqual({ kind: 'ConfigMap', metadata: { name: 'a', labels: {} }, data: {} });
  });

  it('orders keys as people write them', () => {
    const ordered = inReadingOrder({
      spec: { b: 1, a: 2 },
      metadata: { namespace: 'n', name: 'x' },
      kind: 'K',
      apiVersion: 'v1',
    });
    expect(JSON.stringify(ordered)).toBe(
      '{"apiVersion":"v1","kind":"K","metadata":{"name":"x","namespace":"n"},"spec":{"a":2,"b":1}}',
    );
  });
});

describe('an event', () => {
  const message = (event: object): string =>
    String(
      eventColumns(0)
        .at(-1)
        ?.of({ at: '', type: 'Normal', reason: 'Pruned', message: 'no longer desired', ...event } as EventView),
    );

  it('names the object that it is about', () => {
    expect(message({ object: 'batch/CronJob/shop/report' })).toBe('CronJob shop/report: no longer desired');
    expect(message({ object: '/Namespace//shop' })).toBe('Namespace shop: no longer desired');
    expect(message({ object: 'batch/Job/a/b', message: 'Job a/b failed' })).toBe('Job a/b failed');
    expect(message({ object: 'clusters/here' })).toBe('no longer desired');
    expect(message({})).toBe('no longer desired');
  });
});

describe('rolling back', () => {
  const items = fixtureData().histories['podinfo-production'] ?? [];

  it('takes the entry before the current one, or the one that is named', () => {
    expect(chosenEntry(items, undefined, 'podinfo').id).toBe(2);
    expect(chosenEntry(items, '1', 'podinfo').generation).toBe(12);
  });

  it('refuses the current one, unknown ones and what is no number', () => {
    expect(() => chosenEntry(items, '3', 'podinfo')).toThrow('is what podinfo already is');
    expect(() => chosenEntry(items, '9', 'podinfo')).toThrow('no entry 9');
    expect(() => chosenEntry(items, 'x', 'podinfo')).toThrow('is not an id');
    expect(() => chosenEntry(items.slice(0, 1), undefined, 'podinfo')).toThrow('no generation before');
  });
});

describe('the doctor', () => {
  const now = Date.now();

  it('says for everything that is not ok what to do', () => {
    const { clusters, repositories, queues } = fixtureData();
    const checks = [
      ...checkClusters(clusters, now),
      ...checkClusters([], now),
      ...checkRepositories(repositories, now),
      ...checkQueues(queues),
      checkVersions('0.1.0', '0.2.0'),
      checkWebhooks(''),
    ];
    const troubled = checks.filter(({ grade }) => grade !== 'ok');
    expect(troubled.length).toBeGreaterThan(5);
    expect(troubled.filter(({ todo }) => todo === undefined)).toEqual([]);
  });

  it('does not mind a quiet repository, but one that is not polled', () => {
    const [repository] = fixtureData().repositories.filter(({ error }) => error === undefined);
    const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
    const seen = { ...repository!, applications: 1, lastSeenAt: ago(600) };
    const [quiet] = checkRepositories([{ ...seen, lastPolledAt: ago(4) }], now);
    expect(quiet).toMatchObject({ grade: 'ok', finding: /polled 4m/ });
    expect(checkRepositories([{ ...seen, lastPolledAt: ago(20) }], now)).toMatchObject([{ grade: 'warn' }]);
  });

  it('speaks of credentials only where they may help', () => {
    const [repository] = fixtureData().repositories;
    const [gone, locked] = checkRepositories(
      [
        { error: 'The repository has no ref main.', errorCode: 'revision-not-found' },
        { error: 'git.test asks for a login', errorCode: 'repository-refused' },
      ].map((trouble) => ({ ...repository!, ...trouble })),
      now,
    );
    expect(gone).toMatchObject({ grade: 'fail', todo: /targetRevision/ });
    expect(locked).toMatchObject({ grade: 'fail', todo: /hawser repo add/ });
  });

  it('finds applications whose source cannot be read or is not permitted', () => {
    const one = { ...application('infra'), sync: 'Unknown' as const, message: 'The repository has no ref main.' };
    expect(checkApplications([application('podinfo-production'), one])).toMatchObject([
      { grade: 'warn', subject: 'application infra', finding: /Unknown, Healthy: The repository has no ref main/ },
    ]);
    const many = Array.from({ length: 12 }, () => one);
    expect(checkApplications(many).at(-1)).toMatchObject({ finding: '2 more applications in trouble' });
  });

  it('does not mind other patch versions', () => {
    expect(checkVersions('0.1.0', '0.1.9').grade).toBe('ok');
  });

  it('knows from the metrics whether webhooks work', () => {
    const count = (outcome: string, value: number): string =>
      `hawser_webhook_deliveries_total{provider="github",outcome="${outcome}"} ${value}\n`;
    expect(checkWebhooks(count('hint', 4) + count('ignored', 1)).grade).toBe('ok');
    expect(checkWebhooks(count('hint', 4) + count('401', 2))).toMatchObject({
      grade: 'warn',
      finding: /2 deliveries; accepted: 4/,
    });
    expect(checkWebhooks('# See CloudWatch.\n# EOF\n')).toMatchObject({ grade: 'ok', finding: /in CloudWatch/ });
    expect(checkWebhooks(undefined)).toMatchObject({ grade: 'warn', finding: /found by polling/ });
  });
});

describe('a tree', () => {
  it('hangs what is owned below what is declared, and ends circles', () => {
    const tree = fixtureData().trees['podinfo-production']!;
    expect(treeLines(tree).map(({ label }) => label)).toEqual([
      '├─ ConfigMap podinfo-production/old-settings',
      '├─ Deployment podinfo-production/podinfo',
      '│  └─ ReplicaSet podinfo-production/podinfo-7d',
      '│     ├─ Pod podinfo-production/podinfo-7d-a',
      '│     └─ Pod podinfo-production/podinfo-7d-b',
      '└─ Service podinfo-production/podinfo',
    ]);
    const node = { group: '', version: 'v1', kind: 'Pod', namespace: 'a', name: 'x', uid: 'x', owners: ['y'] };
    const circle = {
      ...tree,
      nodes: [...tree.nodes, { ...node, owners: ['r1', 'x'] }, { ...node, uid: 'y', name: 'y', owners: ['x'] }],
    };
    expect(treeLines(circle).map(({ label }) => label)).toContain('│     │  └─ Pod a/y');
  });
});

describe('server-sent events', () => {
  it('are read however they are cut into pieces', async () => {
    const text = ': hello\n\nevent: application\ndata: {"a":\ndata: 1}\n\n: still here\n\ndata: ü\r\n\r\n';
    const bytes = new TextEncoder().encode(text);
    for (const size of [1, 2, 7, 1000]) {
      const events = [];
      for await (const event of readServerSentEvents(inPieces(bytes, size))) events.push(event);
      expect(events).toEqual([
        { event: 'application', data: '{"a":\n1}' },
        { event: 'message', data: 'ü' },
      ]);
    }
  });
});

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at += size)));
    },
  });
}
