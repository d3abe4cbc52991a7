import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../ports/log.ts';
import type { RenderLimits } from './limits.ts';

/** How a worker is started: everything before it is `exec`ed away, so the process that was started is the worker itself. */
export interface WorkerCommand {
  command: string;
  arguments: string[];
  environment: Record<string, string>;
}

/**
 * The strongest start of a worker that this machine allows (reliability-security.md §2.5): its own network namespace
 * without any interface, and resource limits that every tool inherits. What is missing is logged once; the checks of
 * chart and kustomization before each run, the watch over memory and the wall clock hold without it.
 */
export function workerCommand(
  limits: RenderLimits,
  { log, workerFile, libraryPath }: { log: Log; workerFile?: string; libraryPath?: string },
): WorkerCommand {
  const network = networkPrefix();
  const resources = resourcePrefix(network, limits);
  if (network.length === 0)
    log.warn({}, 'renders share the network of this machine: network namespaces are not permitted here');
  if (resources.length === 0)
    log.warn({}, 'renders have no kernel limits on memory and files: neither prlimit nor a shell is usable here');
  const [command, ...rest] = [...network, ...resources, process.execPath];
  return {
    command,
    arguments: [
      ...rest,
      '--max-old-space-size=1024',
      '--no-warnings',
      '--disable-proto=delete',
      workerFile ?? defaultWorkerFile(),
    ],
    // Exactly this; the tools get less (`run-tool.ts`).
    environment: {
      PATH: '/nonexistent',
      HOME: '/nonexistent',
      LANG: 'C.UTF-8',
      ...(libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath }),
    },
  };
}

/** The worker lies beside this module, as source or bundled. */
function defaultWorkerFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./render-worker.${extension}`, import.meta.url));
}

function networkPrefix(): string[] {
  const unshare = findProgram('unshare');
  if (unshare === undefined) return [];
  const candidates = [
    [unshare, '--net', '--'],
    [unshare, '--map-root-user', '--net', '--'],
  ];
  return candidates.find(works) ?? [];
}

function resourcePrefix(network: string[], limits: RenderLimits): string[] {
  const candidates = [prlimitPrefix(findProgram('prlimit'), limits), shellPrefix(findProgram('sh'), limits)];
  return candidates.find((prefix) => prefix.length > 0 && works([...network, ...prefix])) ?? [];
}

/** --data, not --as: Go reserves far more addresses than it uses. */
function prlimitPrefix(prlimit: string | undefined, { memory, fileSize }: RenderLimits): string[] {
  if (prlimit === undefined) return [];
  return [prlimit, `--data=${memory}`, `--fsize=${fileSize}`, '--nofile=256', '--core=0', '--'];
}

/**
 * For systems without util-linux (Lambda's): a shell sets the same limits and becomes the worker. The text is constant;
 * `ulimit -d` takes KiB, `-f` blocks of 512 bytes (POSIX, dash and bash as `sh`).
 */
export function shellPrefix(shell: string | undefined, { memory, fileSize }: RenderLimits): string[] {
  if (shell === undefined) return [];
  const text = 'ulimit -d "$1" && ulimit -f "$2" && ulimit -n 256 && ulimit -c 0 && shift 2 && exec "$@"';
  return [shell, '-c', text, 'sh', String(Math.floor(memory / 1024)), String(Math.floor(fileSize / 512))];
}

function works(prefix: string[]): boolean {
  const [command = '', ...rest] = prefix;
  return (
    spawnSync(command, [...rest, process.execPath, '--version'], { env: {}, stdio: 'ignore', timeout: 10_000 })
      .status === 0
  );
}

function findProgram(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/local/bin', '/sbin', '/usr/sbin']
    .map((folder) => `${folder}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
