import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '#shared/errors.ts';
import { ratioOf, renderRows, verdictOf, type BenchRow } from './row.ts';

/** The benches, quick ones first. Each is `test/bench/NAME.ts` with one exported `bench…(): Promise<BenchRow[]>`. */
const names = [
  'domain',
  'git-fetch',
  'render',
  'render-sandbox',
  'cold-start',
  'webhook',
  'agents',
  'agent-memory',
  'push',
  'drift',
  'aws-calls',
  'thousand',
];

const usage = `npm run bench [-- NAME…] [-o json] [--save FILE]
Benches: ${names.join(', ')}
Ends with 1 if a figure is over its budget or a bench failed.`;

/** Runs benches one after another, each in a process of its own, so that none measures another's memory. */
async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const wanted = positionals.length === 0 ? names.filter(isThere) : positionals;
  const unknown = wanted.filter((name) => !names.includes(name) || !isThere(name));
  if (unknown.length > 0) {
    console.error(`There is no bench ${unknown.join(', ')}.\n${usage}`);
    return 2;
  }
  const machine = machineFacts();
  if (values.output !== 'json') console.log(`${Object.values(machine).join(', ')}\n`);
  const failures: string[] = [];
  const measured: (BenchRow & { bench: string })[] = [];
  for (const name of wanted) {
    if (values.output !== 'json') console.error(`… ${name}`);
    try {
      for (const row of await runBench(name)) measured.push({ bench: name, ...row });
    } catch (error) {
      failures.push(`${name}: ${messageOf(error)}`);
    }
  }
  const rows = measured.map((row) => ({ ...row, ratio: ratioOf(row), verdict: verdictOf(row) }));
  const json = JSON.stringify({ machine, at: new Date().toISOString(), rows, failures }, null, 2);
  console.log(values.output === 'json' ? json : renderRows(measured));
  for (const failure of failures) console.error(`Failed: ${failure}`);
  if (values.save !== undefined) {
    await mkdir(dirname(values.save), { recursive: true });
    await writeFile(values.save, `${json}\n`);
  }
  return failures.length > 0 || rows.some((row) => row.verdict === 'over') ? 1 : 0;
}

/** In the child: one bench, its rows to the parent. */
async function runChild(name: string): Promise<void> {
  const module = (await import(join(import.meta.dirname, `${name}.ts`))) as Record<string, unknown>;
  const bench = Object.entries(module).find(
    ([key, value]) => key.startsWith('bench') && typeof value === 'function',
  )?.[1];
  if (bench === undefined) throw new Error(`test/bench/${name}.ts exports no bench… function`);
  const rows = await (bench as () => Promise<BenchRow[]>)();
  await new Promise((sent) => process.send?.(rows, sent));
  process.disconnect?.();
}

function runBench(name: string): Promise<BenchRow[]> {
  const child = fork(import.meta.filename, ['--child', name], {
    execArgv: [...process.execArgv, '--expose-gc'],
    // What a bench says goes to stderr, so that stdout holds the result alone.
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
  });
  return new Promise((done, failed) => {
    let rows: BenchRow[] | undefined;
    child.once('message', (message) => void (rows = message as BenchRow[]));
    child.once('error', failed);
    child.once('exit', (code, signal) => {
      if (rows === undefined || code !== 0) failed(new Error(`ended with ${code ?? signal}`));
      else done(rows);
    });
  });
}

function machineFacts(): Record<string, string> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: `${availableParallelism()} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${platform()} ${arch()} ${release()}`,
    node: `Node ${process.version}`,
  };
}

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      save: { type: 'string' },
      child: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function isThere(name: string): boolean {
  return existsSync(join(import.meta.dirname, `${name}.ts`));
}

const child = readArguments().values.child;
if (child === undefined) process.exitCode = await main();
else await runChild(child);
