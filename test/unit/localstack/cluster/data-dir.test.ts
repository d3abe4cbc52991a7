import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  kubeconfigOf,
  parseTokenFile,
  pathsOf,
  prepareDataDir,
  renderKubeconfig,
  renderTokenFile,
  type SandboxPaths,
} from '#localstack/cluster/data-dir.ts';
import { apiserverArgs, controllerManagerArgs, etcdArgs, kwokArgs, schedulerArgs } from '#localstack/cluster/flags.ts';
import { choosePorts, parsePorts } from '#localstack/cluster/ports.ts';
import { clearRunState, parseRunState, takeOver, writeRunState } from '#localstack/cluster/run-state.ts';

const tokens = { admin: 'a', 'kube-controller-manager': 'b', 'kube-scheduler': 'c', kwok: 'd' };
const ports = { etcd: 20_001, apiserver: 20_002 };
const noSuchProcess = 2 ** 22 + 1;

let paths: SandboxPaths;

beforeEach(async () => {
  paths = pathsOf(await mkdtemp(join(tmpdir(), 'data-dir-')));
});

afterEach(async () => {
  await rm(paths.root, { recursive: true, force: true });
});

describe('prepareDataDir', () => {
  it('makes keys and tokens once, for the owner only', async () => {
    const first = await prepareDataDir(paths);
    const key = await readFile(paths.serviceAccountKey, 'utf8');

    const second = await prepareDataDir(paths);

    expect(second).toEqual(first);
    expect(await readFile(paths.serviceAccountKey, 'utf8')).toBe(key);
    expect((await stat(paths.serviceAccountKey)).mode & 0o777).toBe(0o600);
    expect((await stat(paths.tokenFile)).mode & 0o777).toBe(0o600);
    expect(new Set(Object.values(first)).size).toBe(4);
  });

  it('drops a serving certificate that cannot be used', async () => {
    await prepareDataDir(paths);
    await writeFile(paths.servingCert, 'not a certificate');

    await prepareDataDir(paths);

    await expect(stat(paths.servingCert)).rejects.toThrow('ENOENT');
  });
});

describe('token files', () => {
  it('round-trip', () => {
    expect(parseTokenFile(renderTokenFile(tokens))).toEqual(tokens);
  });

  it('without every user are not used', () => {
    expect(parseTokenFile('a,admin,admin,"system:masters"\n')).toBeUndefined();
    expect(parseTokenFile('')).toBeUndefined();
  });
});

describe('renderKubeconfig', () => {
  it('has one current context', () => {
    const text = renderKubeconfig({ name: 'one', server: 'https://127.0.0.1:1', ca: 'PEM', token: 't' });

    expect(parse(text)).toMatchObject({
      'current-context': 'one',
      clusters: [{ cluster: { server: 'https://127.0.0.1:1', 'certificate-authority-data': 'UEVN' } }],
      users: [{ name: 'one', user: { token: 't' } }],
    });
  });

  it('is handed out for the admin only', () => {
    expect(kubeconfigOf(paths, 'admin')).toBe(paths.kubeconfig);
    expect(kubeconfigOf(paths, 'kwok')).toBe(join(paths.certs, 'kwok.kubeconfig'));
  });
});

describe('flags', () => {
  it('name the data directory in every command line, which is how leftovers are recognised', () => {
    const all = [
      etcdArgs(paths, ports),
      apiserverArgs(paths, ports, false),
      controllerManagerArgs(paths),
      schedulerArgs(paths),
      kwokArgs(paths, 'stages.yaml'),
    ];

    for (const args of all) expect(args.join(' ')).toContain(`${paths.root}/`);
  });

  it('listen on the loopback address only', () => {
    const args = [...etcdArgs(paths, ports), ...apiserverArgs(paths, ports, false)].join(' ');

    expect(args).not.toContain('0.0.0.0');
    expect(args).toContain('--bind-address=127.0.0.1 ');
  });

  it('audit only where asked', () => {
    expect(apiserverArgs(paths, ports, false).join(' ')).not.toContain('audit');
    expect(apiserverArgs(paths, ports, true)).toContain(`--audit-log-path=${paths.auditLog}`);
  });
});

describe('choosePorts', () => {
  it('remembers', async () => {
    const first = await choosePorts(paths.ports);

    expect(await choosePorts(paths.ports)).toEqual(first);
    expect(first.etcd).not.toBe(first.apiserver);
  });

  it('moves only the port that someone else has taken', async () => {
    const first = await choosePorts(paths.ports);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(first.apiserver, '127.0.0.1', resolve));

    const second = await choosePorts(paths.ports);

    await new Promise((resolve) => server.close(resolve));
    expect(second.etcd).toBe(first.etcd);
    expect(second.apiserver).not.toBe(first.apiserver);
  });

  it.each(['', '{}', '{"etcd":1,"apiserver":1}', '{"etcd":0,"apiserver":5}', '{"etcd":"1","apiserver":2}'])(
    'does not trust %j',
    (text) => {
      expect(parsePorts(text)).toBeUndefined();
    },
  );
});

describe('run state', () => {
  it('lets the next start in after a clean stop', async () => {
    await takeOver(paths);
    await clearRunState(paths);

    await expect(takeOver(paths)).resolves.toBeUndefined();
  });

  it('refuses while a living owner has components', async () => {
    // A process whose command line names the folder, as every component's does.
    const { spawn } = await import('node:child_process');
    const child = spawn('/bin/sh', ['-c', 'sleep 30; :', `${paths.root}/etcd`]);
    await writeRunState(paths, { etcd: child.pid ?? 0 });

    await expect(takeOver(paths)).rejects.toThrow('already runs a sandbox cluster');

    child.kill('SIGKILL');
  });

  it('does not touch a process that only got a remembered pid', async () => {
    const state = { owner: noSuchProcess, startedAt: new Date().toISOString(), components: { etcd: process.pid } };
    await writeFile(paths.run, JSON.stringify(state));

    await expect(takeOver(paths)).resolves.toBeUndefined();
  });

  it('ignores pids that would mean more than one process', () => {
    const text = JSON.stringify({ owner: 5, startedAt: 'x', components: { a: -1, b: 0, c: 1, d: 9 } });

    expect(parseRunState(text)?.components).toEqual({ d: 9 });
    expect(parseRunState('{')).toBeUndefined();
  });
});
