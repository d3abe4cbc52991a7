import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { LambdaHost } from '#localstack/aws/lambda-host.ts';
import type { Places } from '#localstack/aws/run-folder.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { attributeNames } from '#shared/adapters/aws/sqs-body.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { ApplicationDetail, ApplicationList } from '#shared/messages/api.ts';
import type { GrantedToken } from '#shared/messages/api-tokens.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { applicationKey, blocksKey, clusterKey, inputsKey, organisationKey, sortKeys } from '#shared/state/keys.ts';
import { joinClosedCluster } from '#test/kit/closed-agent.ts';
import { eventually, type TestProduct } from '#test/kit/product.ts';
import { dynamodbAt, sqsAt } from './aws-emulators.ts';

/** A deployment at work, with the means of whoever deployed it: past functions, and past the proxies that record them. */
export interface Tour {
  product: TestProduct;
  work: string;
  store: StateStore;
  host: Pick<LambdaHost, 'invoke'>;
  chunksAt(now: number): ChunkStore;
  /** Sends a message past everything that would look at it first; `foreign`: its body lies in the table. */
  send(queue: string, body: string, foreign?: 'foreign'): Promise<void>;
  close(): void;
}

export const organisation = 'local';
/** What XML cannot hold, and so no message: its body goes by reference. */
const foreign = '\uFFFF';
const garbage = 'f'.repeat(64);
const oldMs = 40 * 24 * 3600_000;

export async function openTour(product: TestProduct, host: Tour['host'] | undefined): Promise<Tour> {
  if (host === undefined) throw new Error('there is no host of functions');
  const places = JSON.parse(readFileSync(join(product.dataDir, 'aws.json'), 'utf8')) as Places;
  const client = dynamodbAt(places.endpoints.dynamodb);
  const sqs = sqsAt(places.endpoints.localstack);
  const clock = createSystemClock();
  const chunksAt = (now: number) =>
    createChunkStore({ client, table: places.table, clock: { ...clock, now: () => now } });
  return {
    product,
    work: await product.clone('demo'),
    host,
    store: createStateStore({ client, table: places.table, clock }),
    chunksAt,
    async send(queue, body, isForeign) {
      const digest = sha256(body);
      // So old that whoever buries it writes it again.
      if (isForeign !== undefined) await chunksAt(Date.now() - 3600_000).put(`Q#${queue}`, digest, Buffer.from(body));
      const reference = { [attributeNames.reference]: { DataType: 'String', StringValue: digest } };
      const message =
        isForeign === undefined ? { MessageBody: body } : { MessageBody: '-', MessageAttributes: reference };
      await sqs.send(new SendMessageCommand({ QueueUrl: `${places.queueBase}${queue}`, ...message }));
    },
    close() {
      client.destroy();
      sqs.destroy();
    },
  };
}

/** A push as a Git host tells of it; the status of the answer. */
export async function deliver({ product }: Tour): Promise<number> {
  const body = JSON.stringify({ ref: 'refs/heads/main', after: 'a'.repeat(40), repository: { full_name: 'demo' } });
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', Buffer.from(product.run.webhookSecret), algorithm, false, ['sign']);
  const signature = Buffer.from(await crypto.subtle.sign('HMAC', key, Buffer.from(body))).toString('hex');
  const { status } = await fetch(`${product.run.url}/webhooks/github/demo`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': crypto.randomUUID(),
      'x-hub-signature-256': `sha256=${signature}`,
    },
    body,
  });
  return status;
}

export function everythingIsGood({ product }: Tour, count: number): Promise<boolean> {
  return eventually(
    'all are good',
    async () => {
      const { items } = await product.api<ApplicationList>('GET', '/api/v1/applications');
      return items.length === count && items.every(isGood) ? true : notYet(items);
    },
    100_000,
  );
}

/** A cluster in a closed network: everything over HTTPS, with reports of every kind, and a root whose certificate has ended. */
export async function visitClosedNetwork(tour: Tour): Promise<void> {
  const { product, store } = tour;
  const agent = await joinClosedCluster(product, 'closed');
  await apply(tour, applicationOf(tour, 'far', { path: 'podinfo/overlays/staging' }, { name: 'closed' }));
  const { version, applications } = await eventually('it is handed out', async () => {
    const update = await agent.poll();
    // At version 0 its publisher has not raised HEAD yet.
    return update.applications.length > 0 && update.version > 0 && update;
  });
  const [assigned] = applications;
  const { chunks } = JSON.parse(assigned?.root.root ?? '{}') as { chunks: string[] };
  const taken = Object.keys(await agent.chunks(chunks));
  if (taken.length !== chunks.length || taken.length === 0) throw new Error('chunks are missing');

  const row = { partition: clusterKey(organisation, 'closed'), sort: sortKeys.assignment('far') };
  const ended = '2026-01-01T00:00:00.000Z';
  const head = await store.get<{ root: { certificate: { notAfter: string } } }>(row.partition, row.sort);
  if (head === undefined) throw new Error('it has no head');
  head.value.root.certificate.notAfter = ended;
  await store.put({ ...head, revision: head.revision + 1 });

  const application = { application: 'far', generation: assigned?.generation ?? 0 };
  const conditions = (message: string, count: number) =>
    Array.from({ length: count }, () => ({ type: 'Note', message, lastTransitionTime: ended }));
  await agent.report(1, [{ ...application, conditions: conditions(foreign, 1) }]);
  await agent.report(2, [{ ...application, conditions: conditions('x'.repeat(8000), 40) }]);
  const capabilities = { kubernetesVersion: '1.35.0', uid: 'closed', kinds: [] };
  // Numbers 3 and 4 are lost, and two heartbeats say so.
  await agent.report(5, [application], { renew: ['far'], capabilities });
  await agent.answer(crypto.randomUUID());
  await eventually('the last of them was taken in', async () => {
    const seen = await store.get<{ sequence: number }>(row.partition, sortKeys.seen);
    return seen?.value.sequence === 5;
  });
  await agent.report(6, []);
  await eventually('it is asked for everything', async () => {
    const { commands } = await agent.poll(version);
    return commands.some(({ type }) => type === 'resend');
  });
  await eventually('it was signed again', async () => {
    const now = await store.get<{ root: { certificate: { notAfter: string } } }>(row.partition, row.sort);
    return now?.value.root.certificate.notAfter !== ended;
  });
}

/** Pushes that change, break and heal; a commit's message and a path that no queue takes; sources that are not there. */
export async function pushEverything(tour: Tour): Promise<void> {
  const { product, work } = tour;
  const file = join(work, 'podinfo/overlays/staging/kustomization.yaml');
  const before = await readFile(file, 'utf8');
  await writeFile(file, before.replace(/newTag: .*/, 'newTag: 6.9.99'));
  await good(tour, 'podinfo-staging', await push(tour, foreign));
  await writeFile(file, `${before}\n  broken: [yaml`);
  await push(tour, 'a mistake');
  await eventually('the error is shown', async () => (await detail(tour, 'podinfo-staging')).conditions.length > 0);
  await writeFile(file, before);
  await good(tour, 'podinfo-staging', await push(tour, 'mended'));

  const nowhere = { repoURL: 'http://127.0.0.1:1/nothing.git', path: '.' };
  await apply(
    tour,
    applicationOf(tour, 'no-path', { path: `no-${foreign}` }),
    applicationOf(tour, 'no-branch', { path: '.', targetRevision: 'no-branch' }),
    applicationOf(tour, 'no-repository', nowhere),
  );
  for (const id of ['no-path', 'no-branch', 'no-repository']) {
    await eventually(`${id} says why`, async () => (await detail(tour, id)).conditions.length > 0);
    await product.api('DELETE', `/api/v1/applications/${id}`);
  }
  // Nobody reads the branch any more.
  await change(tour, 'podinfo-staging', 'refresh');
}

/** What people do to an application, and ask about it. */
export async function useEveryButton(tour: Tour): Promise<void> {
  const { product } = tour;
  const path = '/apis/apps/v1/namespaces/podinfo-staging/deployments/podinfo';
  await product.kube.request('DELETE', path);
  await eventually('it is back', async () => (await product.kube.request('GET', path)).status === 200);
  const { items } = await product.api<{ items: { generation: number }[] }>(
    'GET',
    '/api/v1/applications/podinfo-staging/history',
  );
  await change(tour, 'podinfo-staging', 'sync', { prune: true });
  await change(tour, 'podinfo-staging', 'suspend');
  await change(tour, 'podinfo-staging', 'resume');
  // More than a queue takes as it is.
  await change(tour, 'podinfo-staging', 'sync', { resources: [foreign] });
  await change(tour, 'podinfo-staging', 'rollback', { generation: items.at(-1)?.generation });
  await good(tour, 'podinfo-staging');
  const key = encodeURIComponent('apps/Deployment/podinfo-staging/podinfo');
  for (const what of ['tree', 'manifests', 'events', 'history', `resource?key=${key}`])
    await product.api('GET', `/api/v1/applications/podinfo-staging/${what}`);
  for (const what of ['events', 'projects', 'repositories', 'clusters', 'objects/applications', 'queues', 'session'])
    await product.api('GET', `/api/v1/${what}`);
  await readStream(product, '0');
}

/** As an open page asks for what has changed since. */
async function readStream({ run }: TestProduct, last: string): Promise<void> {
  const headers = { authorization: `Bearer ${run.token}`, 'last-event-id': last };
  const answer = await fetch(`${run.url}/api/v1/stream`, { headers });
  if (!answer.ok) throw new Error(`the stream answered ${answer.status}`);
}

/** An application of many large objects, deleted with all of them; and children that come and go with their parent's folder. */
export async function growAndShrink(tour: Tour): Promise<void> {
  const { product, work, store } = tour;
  await mkdir(join(work, 'many'));
  await mkdir(join(work, 'family'));
  const objects = Array.from({ length: 300 }, (_, index) => configMap(index, randomBytes(2000).toString('base64')));
  // Larger than an item of the table.
  objects.push(configMap(objects.length, randomBytes(500_000).toString('base64')));
  await writeFile(join(work, 'many', 'all.yaml'), objects.join('---\n'));
  for (const name of ['child', 'sibling']) {
    await seed(tour, name);
    const repoURL = `${product.run.git}/${name}.git`;
    const declared = applicationOf(tour, name, { repoURL, path: '.' });
    await writeFile(join(work, 'family', `${name}.yaml`), JSON.stringify(declared));
    // Whoever registered the first died before it was done: its key is there already.
    if (name === 'child') await product.api('POST', '/api/v1/repositories', { url: repoURL });
    if (name === 'child') await store.remove(organisationKey(organisation), sortKeys.repository(name));
  }
  await push(tour, 'many, and a family');
  await apply(tour, applicationOf(tour, 'many', { path: 'many' }), applicationOf(tour, 'family', { path: 'family' }));
  await Promise.all(['many', 'child', 'sibling'].map((id) => good(tour, id)));
  await rm(join(work, 'family', 'child.yaml'));
  await push(tour, 'no child');
  await product.api('DELETE', '/api/v1/applications/many?cascade=foreground');
  await Promise.all([gone(tour, 'many'), gone(tour, 'child')]);
}

/** Repositories with credentials of their own and of a template, secrets that are changed, clusters that come and go. */
export async function registerAndForget(tour: Tour): Promise<void> {
  const { product } = tour;
  await seed(tour, 'private');
  const url = `${product.run.git}/private.git`;
  const add = (password: string) =>
    product.api<{ repository: { id: string } }>('POST', '/api/v1/repositories', { url, username: 'ada', password });
  const { id } = (await add('secret')).repository;
  await add('another');
  await product.api('POST', `/api/v1/repositories/${id}/webhook-secret`, {});
  const labels = { 'argocd.argoproj.io/secret-type': 'repo-creds' };
  await apply(tour, applicationOf(tour, 'kept', { repoURL: url, path: '.' }), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'below', namespace: 'argocd', labels },
    stringData: { url: `${product.run.git}/team`, username: 'ada', password: 'third' },
  });
  await good(tour, 'kept');
  await product.api('DELETE', '/api/v1/applications/kept?cascade=background');
  await gone(tour, 'kept');
  await product.api('DELETE', `/api/v1/repositories/${id}`);
  const { items } = await product.api<{ items: { id: string }[] }>('GET', '/api/v1/repositories/templates');
  for (const one of items) await product.api('DELETE', `/api/v1/repositories/templates/${one.id}`);

  const role = { identity: 'pod-identity', awsRoleId: 'AROAEXAMPLE12345678' };
  await product.api('POST', '/api/v1/clusters', { name: 'eks', ...role });
  await product.api('POST', '/api/v1/clusters', { name: 'spare' });
  for (const verb of ['registration', 'revoke', 'restore']) await product.api('POST', `/api/v1/clusters/spare/${verb}`);
  for (const name of ['eks', 'spare']) await product.api('DELETE', `/api/v1/clusters/${name}`);
  const refused = await fetch(`${product.run.url}/api/v1/agent/token`, { method: 'POST', body: '{}' });
  if (refused.status < 400) throw new Error('somebody without a token was let in');
}

/** Somebody gets a token, logs in with it in two browsers, logs out of one, and is shut out of everything. */
export async function letInAndShutOut({ product }: Tour): Promise<void> {
  const { url } = product.run;
  const asked = { user: 'vera', role: 'viewer', expires: '1h' };
  const { id, secret } = await product.api<GrantedToken>('POST', '/api/v1/tokens', asked);
  const session = (method: string, headers: object, body?: object) =>
    fetch(`${url}/api/v1/session`, {
      method,
      headers: { 'content-type': 'application/json', 'x-hawser-request': '1', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const logIn = async () => {
    const cookie = (await session('POST', {}, { token: secret })).headers.get('set-cookie')?.split(';')[0] ?? '';
    if ((await session('GET', { cookie })).status !== 200) throw new Error('a session does not hold');
    return cookie;
  };
  const [one, other] = [await logIn(), await logIn()];
  await session('DELETE', { cookie: one });
  const { items } = await product.api<{ items: { id: string }[] }>('GET', '/api/v1/tokens');
  if (items.every((token) => token.id !== id)) throw new Error('the token is not listed');
  await product.api('DELETE', `/api/v1/tokens/${id}`);
  for (const headers of [{ cookie: one }, { cookie: other }, { authorization: `Bearer ${secret}` }]) {
    const { status } = await session('GET', headers);
    if (status !== 401) throw new Error(`a revoked token was answered ${status}`);
  }
}

/** Messages that nobody can handle: they die, are looked at, sent again, and die again. Some of them are no text for a queue. */
export async function poisonEveryQueue(tour: Tour, queues: readonly string[]): Promise<void> {
  const { product } = tour;
  const dead = async () =>
    (await product.api<{ items: { name: string; dead: number }[] }>('GET', '/api/v1/queues')).items;
  const died = (count: number) =>
    eventually(`${count} died in each`, async () => (await dead()).every((queue) => queue.dead >= count));
  for (const queue of queues) {
    await tour.send(queue, '{"nonsense":1}');
    // Hints are never of this kind.
    await tour
      .send(queue, `{"nonsense":"${foreign}"}`, queue === 'hints' ? undefined : 'foreign')
      .catch(() => tour.send(queue, '{"nonsense":2}'));
  }
  await died(2);
  for (const queue of queues) {
    await product.api('GET', `/api/v1/queues/${queue}/dead-letters`);
    await product.api('POST', `/api/v1/queues/${queue}/redrive`);
  }
  await died(2);
}

/** What was kept for too long, what died of an outage, and that both are due. */
export async function leaveToSweep({ store, chunksAt, send }: Tour): Promise<void> {
  for (const partition of [inputsKey(organisation), blocksKey(organisation, 'sandbox')])
    await chunksAt(Date.now() - oldMs).put(partition, garbage, randomBytes(700_000));
  const publishedAt = new Date(Date.now() - oldMs).toISOString();
  const put = (partition: string, sort: string, value: object) => store.put({ partition, sort, revision: 1, value });
  for (let generation = 1; generation <= 12; generation += 1) {
    const content = { publishedAt, cluster: 'sandbox', content: { chunks: [] } };
    await put(applicationKey(organisation, 'ghost'), sortKeys.history(generation), content);
  }
  await put(organisationKey(organisation), sortKeys.summary('ghost'), { id: 'ghost', updatedAt: publishedAt });
  for (const queue of ['hints', 'render-jobs', 'publish-jobs', 'reports'])
    await send(`${queue}-dead`, JSON.stringify({ at: new Date().toISOString() }));
  for (const sort of ['GARBAGE', 'REDRIVE']) await put(organisationKey(organisation), sort, { nextAt: 0 });
}

/** True once the garbage is gone. */
export async function isSwept({ chunksAt }: Tour): Promise<boolean> {
  const chunks = chunksAt(Date.now());
  const left = [inputsKey(organisation), blocksKey(organisation, 'sandbox')].map((key) => chunks.has(key, [garbage]));
  return (await Promise.all(left)).every((found) => found.size === 0);
}

async function push({ product, work }: Tour, message: string): Promise<string> {
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', 'MESSAGE');
  // As it is: `git commit` would make other signs of those that are none.
  const file = join(work, '.git', 'commit.txt');
  await writeFile(file, (await product.git(work, 'cat-file', 'commit', 'HEAD')).replace('MESSAGE', message));
  const commit = (await product.git(work, 'hash-object', '-t', 'commit', '-w', '--literally', file)).trim();
  await product.git(work, 'reset', '-q', '--soft', commit);
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  return commit;
}

/** A repository with one object. */
async function seed({ product }: Tour, name: string): Promise<void> {
  const folder = await product.clone(name);
  await writeFile(join(folder, 'one.yaml'), configMap(1, name).replace('many-1', name));
  await product.git(folder, 'add', '-A');
  await product.git(folder, 'commit', '-qm', 'one');
  await product.git(folder, 'push', '-q', 'origin', 'HEAD:main');
}

async function apply({ product }: Tour, ...objects: object[]): Promise<void> {
  const { items } = await product.api<{ items: { action: string; message?: string }[] }>('POST', '/api/v1/objects', {
    objects,
  });
  const refused = items.filter(({ action }) => action === 'refused');
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}

function detail({ product }: Tour, id: string): Promise<ApplicationDetail> {
  return product.api<ApplicationDetail>('GET', `/api/v1/applications/${id}`);
}

async function change({ product }: Tour, id: string, verb: string, body: object = {}): Promise<void> {
  await product.api('POST', `/api/v1/applications/${id}/${verb}`, body);
}

type Shown = Pick<ApplicationList['items'][number], 'id' | 'sync' | 'health' | 'operation' | 'message' | 'revision'>;

function isGood({ sync, health }: Shown): boolean {
  return sync === 'Synced' && health === 'Healthy';
}

/** Says, should the time run out, how it stood. */
function notYet(items: readonly Shown[]): never {
  const lines = items.map((one) => [one.id, one.sync, one.health, one.operation, one.revision, one.message].join(' '));
  throw new Error(lines.join('; '));
}

async function good(tour: Tour, id: string, revision?: string): Promise<void> {
  await eventually(
    `${id} is good`,
    async () => {
      const one = await detail(tour, id);
      return isGood(one) && (revision ?? one.revision) === one.revision ? true : notYet([one]);
    },
    60_000,
  );
}

async function gone(tour: Tour, id: string): Promise<void> {
  const { product } = tour;
  const list = () => product.api<ApplicationList>('GET', '/api/v1/applications');
  await eventually(`${id} is gone`, async () => (await list()).items.every((one) => one.id !== id), 60_000);
}

function applicationOf(
  { product }: Tour,
  name: string,
  source: object,
  destination: object = { server: 'https://kubernetes.default.svc' },
): object {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd', finalizers: ['resources-finalizer.argocd.argoproj.io'] },
    spec: {
      project: 'default',
      source: { repoURL: `${product.run.git}/demo.git`, targetRevision: 'main', ...source },
      destination: { namespace: 'default', ...destination },
      syncPolicy: { automated: { prune: true, selfHeal: true } },
    },
  };
}

function configMap(index: number, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: many-${index}\ndata:\n  value: "${value}"\n`;
}
