import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { componentDied, logTail, startComponent, type Component } from '#localstack/cluster/component.ts';
import { commandLineOf, signalProcess } from '#localstack/cluster/process-table.ts';

let folder: string;
let logFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'component-'));
  logFile = join(folder, 'logs', 'it.log');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('startComponent', () => {
  it('runs the command itself under the pid it names', async () => {
    const component = await start('exec sleep 60');

    // Between fork and exec a process has no command line.
    const line = await vi.waitUntil(() => commandLineOf(component.pid), { timeout: 5000 });
    await component.stop();

    expect(line).toContain('sleep 60');
    expect(await commandLineOf(component.pid)).toBeUndefined();
  });

  it('keeps output and exit code', async () => {
    const component = await start('echo out; echo err >&2; exit 7');

    expect(await component.exited).toBe(7);
    expect(await readFile(logFile, 'utf8')).toBe('out\nerr\n');
  });

  it('lets the command end by itself before it kills', async () => {
    const component = await start('trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.05; done');
    await logged('ready');

    await component.stop();

    expect(await readFile(logFile, 'utf8')).toMatch(/bye\n$/);
  });

  it('kills a command that does not listen, and its children', async () => {
    const component = await start('trap "" TERM; sleep 60 & echo $! ready; while :; do sleep 0.05; done');
    const childPid = Number.parseInt(await logged('ready'), 10);

    await component.stop();
    await goneWithin(childPid, 5000);

    expect(await commandLineOf(component.pid)).toBeUndefined();
    expect(await commandLineOf(childPid)).toBeUndefined();
  });

  it('ends the command when its supervisor is killed', async () => {
    const component = await start('exec sleep 60');

    signalProcess(component.group, 'SIGKILL');
    await component.exited;
    await goneWithin(component.pid, 3000);

    expect(await commandLineOf(component.pid)).toBeUndefined();
  });

  it('may be stopped twice, and after its end', async () => {
    const component = await start('exit 0');
    await component.exited;

    await Promise.all([component.stop(), component.stop()]);

    expect(await component.exited).toBe(0);
  });

  it('reports a command that is not there like one that failed', async () => {
    const component = await startComponent({ name: 'ghost', command: join(folder, 'ghost'), args: [], logFile });

    const error = await componentDied(component);

    expect(error.message).toMatch(/^ghost ended with code 127[^]*ghost[^]*The whole log: .*it\.log$/);
  });
});

describe('logTail', () => {
  it('gives the last lines', async () => {
    const file = join(folder, 'a.log');
    await writeFile(file, Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join(''));

    expect(await logTail(file, 2)).toBe('  line 28\n  line 29');
  });

  it('says when there are none', async () => {
    expect(await logTail(join(folder, 'none.log'))).toBe('  (nothing was logged)');
  });
});

function start(script: string): Promise<Component> {
  return startComponent({ name: 'it', command: '/bin/sh', args: ['-c', script], logFile, graceSeconds: 1 });
}

/** What the command has said, once that is in it. */
function logged(text: string): Promise<string> {
  const said = () => readFile(logFile, 'utf8').then((all) => all.includes(text) && all);
  return vi.waitUntil(() => said().catch(() => false as const), { timeout: 5000 });
}

async function goneWithin(pid: number, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline && (await commandLineOf(pid)) !== undefined) await sleep(20);
}
