import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

export interface AgentOptions {
  /** The very bundle that the image holds. */
  bundle: string;
  nodeFlags: readonly string[];
  /** What the image sets as well, and by what the agent proves who it is. */
  environment: Readonly<Record<string, string>>;
  server: string;
  organisation: string;
  cluster: string;
  rootKey: string;
  kubeconfig: string;
  logFile: string;
  logLevel?: string;
  /** Called with the process id at every start. */
  onStart?: (pid: number) => void;
}

export interface RunningAgent {
  pid(): number | undefined;
  stop(): Promise<void>;
}

const slowestRestartMs = 10_000;

/**
 * Runs an agent as a process of its own, as a Deployment would: started again when it ends, with growing waits.
 * It ends with this process, whatever becomes of it: it holds the other end of its standard input.
 */
export function startAgent(options: AgentOptions): RunningAgent {
  mkdirSync(dirname(options.logFile), { recursive: true });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  let child: ChildProcess | undefined;
  let stopped = false;
  let restarts = 0;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const startedAt = Date.now();
    child = spawn(process.execPath, [...options.nodeFlags, options.bundle], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environmentOf(options),
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.stdin?.on('error', () => undefined);
    if (child.pid !== undefined) options.onStart?.(child.pid);
    child.on('exit', () => {
      if (stopped) return;
      restarts = Date.now() - startedAt > 60_000 ? 0 : restarts + 1;
      timer = setTimeout(start, Math.min(slowestRestartMs, 250 * 2 ** Math.min(restarts, 6)));
    });
  }
  start();
  return {
    pid: () => child?.pid,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await endProcess(child);
      log.end();
    },
  };
}

/** Only what the agent needs: nothing of this process's environment leaks into it. */
function environmentOf(options: AgentOptions): NodeJS.ProcessEnv {
  return {
    ...options.environment,
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    HAWSER_SERVER: options.server,
    HAWSER_ORGANISATION: options.organisation,
    HAWSER_CLUSTER: options.cluster,
    HAWSER_ROOT_KEY: options.rootKey,
    HAWSER_LOG_LEVEL: options.logLevel ?? 'info',
    HAWSER_EXIT_WITH_PARENT: '1',
    KUBECONFIG: options.kubeconfig,
  };
}

async function endProcess(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 3000);
    child.once('exit', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
