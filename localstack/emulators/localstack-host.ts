import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort, installOnce, isInstalled, runs, startServer, type Emulator, type StartOptions } from './emulator.ts';

/** `compose.yaml` has the image of the same one. */
export const localstackVersion = '4.9.2';
const requirements = join(import.meta.dirname, 'localstack-requirements.txt');
/** Stands for /etc/localstack/init of the image. */
const hooks = join(import.meta.dirname, '..', 'init');
/** Its dependencies at these versions have wheels for it. */
const python = '3.11';
/** All that is asked for; nothing else is loaded. */
export const localstackServices = 'sqs,secretsmanager,kms,sts,iam';

/**
 * LocalStack without Docker, from PyPI, every package pinned by hash: SQS, Secrets Manager, KMS, STS, IAM.
 * Its init hook `init/start.d/teach_aws.py` adds the Ed25519 keys that AWS KMS has since 2025 and LocalStack has not.
 */
export const localstackHost: Emulator = {
  async look(folder, env) {
    const installed = await isInstalled(targetOf(folder));
    if (installed || (await findPython(env)) !== undefined) return { ok: true, installed };
    return {
      ok: false,
      reason: `LocalStack needs Python ${python} with venv, or uv, which are not there: apt-get install python${python}-venv`,
    };
  },

  async install(folder, options) {
    const target = targetOf(folder);
    const found = (await isInstalled(target)) ? undefined : await findPython(options.env);
    const commands = found === 'uv' ? uvCommands(target) : pipCommands(target, found ?? `python${python}`);
    await installOnce(target, `Installing LocalStack ${localstackVersion} (once)`, commands, options);
  },

  async start(folder, runFolder, options) {
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const server = {
      name: `LocalStack ${localstackVersion}`,
      command: join(targetOf(folder), 'bin', 'python'),
      args: ['-m', 'localstack.runtime.main'],
      cwd: runFolder,
      env: environment(options, runFolder, port),
    };
    const hooksSeen = join(runFolder, 'etc', 'localstack', 'init');
    await mkdir(dirname(hooksSeen), { recursive: true });
    await symlink(hooks, hooksSeen);
    return startServer(server, { endpoint, ready: `${endpoint}/_localstack/health` }, options);
  },
};

/** Nothing of the caller's AWS settings reaches it; it downloads nothing, listens on loopback only, asks no DNS. */
function environment({ env }: StartOptions, runFolder: string, port: number): NodeJS.ProcessEnv {
  return {
    PATH: env['PATH'],
    HOME: runFolder,
    TMPDIR: runFolder,
    LANG: 'C.UTF-8',
    PYTHONNOUSERSITE: '1',
    // Also on a machine that is a container itself: it would take the paths of its image for its own.
    OVERRIDE_IN_DOCKER: '0',
    FILESYSTEM_ROOT: runFolder,
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    SERVICES: localstackServices,
    DISABLE_EVENTS: '1',
    DNS_ADDRESS: '0',
    SKIP_SSL_CERT_DOWNLOAD: '1',
    // Queue URLs on the address that was asked, not on a name that only DNS knows.
    SQS_ENDPOINT_STRATEGY: 'path',
    LOCALSTACK_HOST: `127.0.0.1:${port}`,
  };
}

async function findPython(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const check = `import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (${python.replace('.', ', ')}))`;
  for (const command of [`python${python}`, 'python3']) if (await runs(command, ['-c', check], env)) return command;
  return (await runs('uv', ['python', 'find', '--no-python-downloads', python], env)) ? 'uv' : undefined;
}

function pipCommands(target: string, command: string): { command: string; args: string[] }[] {
  const install = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--require-hashes', '--no-cache-dir'];
  return [
    { command, args: ['-m', 'venv', target] },
    {
      command: join(target, 'bin', 'python'),
      args: [...install, '--disable-pip-version-check', '--requirement', requirements],
    },
  ];
}

function uvCommands(target: string): { command: string; args: string[] }[] {
  const interpreter = join(target, 'bin', 'python');
  const install = ['pip', 'install', '--no-deps', '--require-hashes', '--no-cache'];
  return [
    { command: 'uv', args: ['venv', '--no-python-downloads', '--python', python, target] },
    { command: 'uv', args: [...install, '--python', interpreter, '--requirement', requirements] },
  ];
}

function targetOf(folder: string): string {
  return join(folder, `localstack-${localstackVersion}`);
}
