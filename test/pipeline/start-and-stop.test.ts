import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ApplicationList } from '#shared/messages/api.ts';
import type { RunFile } from '#localstack/run-file.ts';
import { eventually } from '#test/kit/product.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

/** `npm start` as a process of its own, as people run it. */
const root = join(import.meta.dirname, '..', '..');
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function start(
  dataDir: string,
  ...args: string[]
): { child: ChildProcess; output: () => string; exit: Promise<number | null> } {
  const child = spawn(process.execPath, ['localstack/embedded.ts', '--data', dataDir, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  return { child, output: () => text, exit };
}

async function up(dataDir: string, running: ReturnType<typeof start>): Promise<RunFile> {
  return eventually(
    `it is up: ${running.output().slice(-500)}`,
    async () => {
      if (running.child.exitCode !== null) throw new Error(running.output());
      const file = join(dataDir, 'run.json');
      if (!existsSync(file)) return undefined;
      const run = JSON.parse(readFileSync(file, 'utf8')) as RunFile;
      return run.pid === running.child.pid ? run : undefined;
    },
    120_000,
  );
}

/** Processes whose command line names the folder: everything that was started for it. */
function processesOf(dataDir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
        return command.includes(dataDir) || environment.includes(`KUBECONFIG=${dataDir}`)
          ? [`${name} ${command.slice(0, 120)}`]
          : [];
      } catch {
        return [];
      }
    });
}

async function list(run: RunFile): Promise<ApplicationList> {
  const response = await fetch(`${run.url}/api/v1/applications`, { headers: { authorization: `Bearer ${run.token}` } });
  return (await response.json()) as ApplicationList;
}

describe('npm start', () => {
  it('goes on from what was there after kill -9, under the same addresses, and leaves no process behind', async () => {
    await using folder = await temporaryFolder();
    const first = start(folder.path);
    const before = await up(folder.path, first);
    await eventually('the demo is up', async () => (await list(before)).counts.health['Healthy'] === 8, 90_000);
    first.child.kill('SIGKILL');
    await first.exit;
    await eventually('everything has ended with it', async () => processesOf(folder.path).length === 0, 30_000);

    const second = start(folder.path);
    const after = await up(folder.path, second);

    expect({ url: after.url, git: after.git, token: after.token, webhookSecret: after.webhookSecret }).toEqual({
      url: before.url,
      git: before.git,
      token: before.token,
      webhookSecret: before.webhookSecret,
    });
    await eventually(
      'all is well again',
      async () => {
        const { items } = await list(after);
        return (
          items.length === 8 && items.every((one) => one.sync === 'Synced' && one.health === 'Healthy' && !one.stale)
        );
      },
      60_000,
    );
    second.child.kill('SIGINT');
    expect(await second.exit).toBe(0);
    expect(existsSync(join(folder.path, 'run.json'))).toBe(false);
    await eventually('nothing runs any more', async () => processesOf(folder.path).length === 0, 15_000);
  }, 300_000);

  it('ends at once when Ctrl-C comes twice, and leaves no process behind', async () => {
    await using folder = await temporaryFolder();
    const running = start(folder.path, '--no-demo');
    await up(folder.path, running);

    running.child.kill('SIGINT');
    running.child.kill('SIGINT');
    await running.exit;

    await eventually('nothing runs any more', async () => processesOf(folder.path).length === 0, 30_000);
  }, 180_000);

  it('says who holds the data folder when a second one is started on it', async () => {
    await using folder = await temporaryFolder();
    const running = start(folder.path, '--no-demo');
    const run = await up(folder.path, running);

    const second = start(folder.path, '--no-demo');

    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(String(run.pid));
    expect((await fetch(`${run.url}/healthz`)).status).toBe(200);
    expect(existsSync(join(folder.path, 'run.json'))).toBe(true);
  }, 180_000);

  it('says that a port is taken, and what to do', async () => {
    await using folder = await temporaryFolder();
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };

    const running = start(folder.path, '--no-demo', '--port', String(port));

    expect(await running.exit).toBe(1);
    expect(running.output()).toContain(`port ${port}`);
    expect(running.output()).toContain('--port');
    blocker.close();
  }, 180_000);

  it.each([
    [['--port', 'x'], /--port x is not a whole number/],
    [['--clusters', '9'], /--clusters 9 is not a whole number from 1 to 5/],
    [['--context', 'a', '--clusters', '2'], /cannot go together/],
    [['--nonsense'], /nonsense/],
  ])('refuses %j', async (args, words) => {
    await using folder = await temporaryFolder();
    const running = start(folder.path, ...args);

    expect(await running.exit).toBe(2);
    expect(running.output()).toMatch(words);
  });
});
