import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { Places } from '#localstack/aws/run-folder.ts';
import { startAwsService } from '#localstack/aws/service.ts';
import { availableEmulators } from '#localstack/emulators/emulators.ts';
import type { ApplicationDetail, ApplicationList, ClusterView, EventView } from '#shared/messages/api.ts';
import type { DeadLetter } from '#shared/ports/queue.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';
import { lookForNeeds } from '#test/runner/needs.ts';
import { sqsAt } from './aws-emulators.ts';

/**
 * The product of `npm run start:aws`: the functions' bundles, each in processes of its own, on DynamoDB Local and LocalStack,
 * with a sandbox cluster whose agent registers, exchanges its ServiceAccount token and works on table and queues directly.
 */
const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const lacking = await findLacking();

if (lacking.length > 0) {
  describe('the product on the emulators of AWS', () => {
    it('takes a push to applied', (context) => context.skip(lacking.join('; ')));
  });
} else describe('the product on the emulators of AWS', defineTests);

async function findLacking(): Promise<string[]> {
  const emulators = Object.values(await availableEmulators()).flatMap((one) => (one.ok ? [] : [one.reason]));
  const needs = [...(await lookForNeeds(['git', 'sandbox'])).values()];
  return [...emulators, ...needs.flatMap((need) => (need.ok ? [] : [need.missing]))];
}

function defineTests(): void {
  let product: TestProduct;
  let work: string;

  beforeAll(async () => {
    product = await startTestProduct({ demo: true, startService: startAwsService });
    work = await product.clone('demo');
  }, 900_000);
  afterAll(async () => product?.end());
  beforeEach(({ onTestFailed }) => onTestFailed(async () => console.log(await whatIsWrong(product))));

  const detail = (id: string) => product.api<ApplicationDetail>('GET', `/api/v1/applications/${id}`);
  const list = async () => (await product.api<ApplicationList>('GET', '/api/v1/applications')).items;
  const cli = (...args: string[]) =>
    run(process.execPath, [join(root, 'cli', 'main.ts'), ...args], {
      env: { PATH: process.env['PATH'], HAWSER_SERVER: product.run.url, HAWSER_TOKEN: product.run.token },
    });
  const deadLetters = async (queue: string) =>
    (JSON.parse((await cli('queues', 'peek', queue, '-o', 'json')).stdout) as { items: DeadLetter[] }).items;

  async function push(message: string): Promise<string> {
    await product.git(work, 'commit', '-qam', message);
    await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
    return (await product.git(work, 'rev-parse', 'HEAD')).trim();
  }

  /** Puts a message into a queue past everything that would look at it first, with the rights of whoever deployed. */
  async function sendRaw(queue: string, body: string): Promise<void> {
    const places = JSON.parse(readFileSync(join(product.dataDir, 'aws.json'), 'utf8')) as Places;
    const client = sqsAt(places.endpoints.localstack);
    await client.send(new SendMessageCommand({ QueueUrl: `${places.queueBase}${queue}`, MessageBody: body }));
    client.destroy();
  }

  it('brings the demo up: everything is Synced and Healthy', async () => {
    await eventually(
      'all are good',
      async () => {
        const items = await list();
        return items.length === 8 && items.every((one) => one.sync === 'Synced' && one.health === 'Healthy');
      },
      100_000,
    );
  });

  it('has an agent that was let in by its ServiceAccount and works on table and queues directly', async () => {
    const { items } = await product.api<{ items: (ClusterView & { identity?: string })[] }>('GET', '/api/v1/clusters');
    const log = readFileSync(join(product.dataDir, 'logs', 'agent-sandbox.log'), 'utf8');

    expect(items).toMatchObject([{ id: 'sandbox', connected: true, identity: 'service-account' }]);
    expect(log).toContain('speaking with the service directly');
    expect(log).not.toContain('going on over HTTPS');
  });

  it('applies what a push changed, and leaves the rest alone', async () => {
    const before = (await detail('redis')).desired?.generation;
    const file = join(work, 'podinfo/overlays/staging/kustomization.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/newTag: .*/, 'newTag: 6.9.99'));
    const commit = await push('podinfo: 6.9.99 to staging');

    await eventually('the new revision is applied', async () => {
      const one = await detail('podinfo-staging');
      return one.revision === commit && one.sync === 'Synced' && one.health === 'Healthy';
    });
    const deployment = await product.kube.get<object>('/apis/apps/v1/namespaces/podinfo-staging/deployments/podinfo');
    expect(JSON.stringify(deployment)).toContain('podinfo:6.9.99"');
    expect((await detail('redis')).desired?.generation).toBe(before);
  });

  it('brings back what somebody deletes, and shows that', async () => {
    const path = '/apis/apps/v1/namespaces/podinfo-staging/deployments/podinfo';
    const { uid } = (await product.kube.get<{ metadata: { uid: string } }>(path)).metadata;
    await product.kube.request('DELETE', path);

    await eventually('it is back', async () => {
      const { status, text } = await product.kube.request('GET', path);
      return status === 200 && (JSON.parse(text) as { metadata: { uid: string } }).metadata.uid !== uid;
    });
    await eventually('the drift is shown', async () =>
      (await detail('podinfo-staging')).drift.some((one) => one.change === 'deleted' && one.correctedAt !== undefined),
    );
  });

  it('shows a broken manifest, keeps what runs, and heals with the next push (INV-39)', async () => {
    const file = join(work, 'podinfo/overlays/staging/kustomization.yaml');
    const good = await readFile(file, 'utf8');
    const generation = (await detail('podinfo-staging')).desired?.generation;
    await writeFile(file, `${good}\n  broken: [yaml`);
    await push('a mistake');

    const broken = await eventually('the error is shown', async () => {
      const one = await detail('podinfo-staging');
      return one.conditions.some(({ type }) => type === 'ComparisonError') ? one : undefined;
    });
    expect(broken.conditions[0]?.message).toContain('podinfo/overlays/staging/kustomization.yaml');
    expect(broken.desired?.generation).toBe(generation);
    expect((await list()).filter((one) => one.id !== 'podinfo-staging' && one.sync !== 'Synced')).toEqual([]);

    await writeFile(file, good);
    await push('mended');
    await eventually('it is good again', async () => {
      const one = await detail('podinfo-staging');
      return one.sync === 'Synced' && one.health === 'Healthy';
    });
  });

  it('refuses a webhook whose signature is wrong, and takes one that is right', async () => {
    const body = JSON.stringify({ ref: 'refs/heads/main', after: 'a'.repeat(40), repository: { full_name: 'demo' } });
    const key = (secret: string) =>
      crypto.subtle.importKey('raw', Buffer.from(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const send = async (secret: string) => {
      const signature = await crypto.subtle.sign('HMAC', await key(secret), Buffer.from(body));
      const response = await fetch(`${product.run.url}/webhooks/github/demo`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-github-event': 'push',
          'x-github-delivery': crypto.randomUUID(),
          'x-hub-signature-256': `sha256=${Buffer.from(signature).toString('hex')}`,
        },
        body,
      });
      return response.status;
    };

    expect(await send('somebody else’s secret of 32 signs')).toBe(401);
    expect(await send(product.run.webhookSecret)).toBe(202);
  });

  it('lays a poison message among the dead letters with its reason; peek shows it, redrive sends it again (FT-14)', async () => {
    await sendRaw('hints', '{"organisation":"local","repository":17}');

    const [dead] = await eventually('it is a dead letter', async () => {
      const items = await deadLetters('hints');
      return items.length === 1 ? items : undefined;
    });
    expect(dead?.body).toBe('{"organisation":"local","repository":17}');
    expect(dead?.reason).toContain('repository');

    expect((await cli('queues', 'redrive', 'hints')).stdout).toContain('sent again from hints: 1 message');
    await eventually('it died again', async () => {
      const [again, ...more] = await deadLetters('hints');
      return again !== undefined && more.length === 0 && again.diedAt > (dead?.diedAt ?? 0);
    });
  });

  it('takes mail in the name of a cluster from that cluster’s session only, and tells people (FT-106, NT-111)', async () => {
    const sentAt = new Date().toISOString();
    await sendRaw('agent-mail', JSON.stringify({ organisation: 'local', cluster: 'sandbox', sentAt, packed: 'AAAA' }));

    const [dead] = await eventually('it is a dead letter', async () => {
      const items = await deadLetters('agent-mail');
      return items.length > 0 ? items : undefined;
    });
    expect(dead?.reason).toContain('mail in the name of local/sandbox was refused');
    const { items } = await product.api<{ items: EventView[] }>('GET', '/api/v1/events');
    expect(items.map(({ reason }) => reason)).toContain('AgentMailRefused');
  });

  it('is behind the limits of an HTTP API: 10 MB of body, 6 MB of event', async () => {
    const status = async (bytes: number) => {
      const response = await fetch(`${product.run.url}/api/v1/objects`, {
        method: 'POST',
        headers: { authorization: `Bearer ${product.run.token}`, 'content-type': 'application/json' },
        body: `"${'x'.repeat(bytes)}"`,
      });
      return response.status;
    };

    expect(await status(7 * 1024 * 1024)).toBe(413);
    expect(await status(11 * 1024 * 1024)).toBe(413);
  });

  it('serves the page as its own function does', async () => {
    const page = await fetch(product.run.url);

    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<title>Hawser</title>');
    expect((await fetch(`${product.run.url}/api/v1/applications`)).status).toBe(401);
  });
}

/** For whoever reads a failure: applications, queues, and what functions and agent complained about. */
async function whatIsWrong(product: TestProduct): Promise<string> {
  const applications = await product.api<ApplicationList>('GET', '/api/v1/applications');
  const queues = await product.api<{ items: object[] }>('GET', '/api/v1/queues');
  const logs = join(product.dataDir, 'logs');
  const complaints = readdirSync(logs).flatMap((file) =>
    readFileSync(join(logs, file), 'utf8')
      .split('\n')
      .filter((line) => /"level":"(?:warn|error)"/.test(line))
      .slice(-5)
      .map((line) => `${file} ${line.slice(0, 500)}`),
  );
  const deployment = await product.kube.request('GET', '/apis/apps/v1/namespaces/podinfo-staging/deployments/podinfo');
  const live = JSON.stringify((JSON.parse(deployment.text) as { status?: object }).status ?? deployment.status);
  const states = applications.items.map(({ id, sync, health }) => `${id} ${sync} ${health}`);
  return [
    ...states,
    `podinfo-staging: ${live}`,
    ...queues.items.map((queue) => JSON.stringify(queue)),
    ...complaints,
  ].join('\n');
}
