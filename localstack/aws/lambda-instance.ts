import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { FromRuntime, RuntimeSettings, ToRuntime } from './lambda-protocol.ts';

/** A function as it is deployed. */
export interface FunctionSpec {
  /** Name of the deployed function, `hawser-local-plan`. */
  name: string;
  /** Path of its bundle. */
  bundle: string;
  /** What infra sets; what Lambda itself sets comes on top. */
  environment: Readonly<Record<string, string>>;
  /** Each instance gets a folder of its own in here as its /tmp; absent: the machine's. */
  scratch?: string;
  timeoutSeconds: number;
  memoryMb: number;
  /** Instances at once; further events wait. */
  concurrency: number;
  /** Takes what instances print; absent: nobody may see it. */
  log?: (chunk: Buffer) => void;
}

/** What came of an event: JSON text, and whether the function failed. */
export interface Invocation {
  payload: string;
  functionError?: 'Unhandled';
}

export interface Instance {
  /** One event at a time. Never throws: what goes wrong is a failed invocation. */
  invoke(event: { payload: string; tenantId?: string }): Promise<Invocation>;
  /** False once it timed out or ended: take another one. */
  alive(): boolean;
  stop(): Promise<void>;
}

/** A process of ours, as messages in and out. */
interface Channel {
  post(message: ToRuntime): void;
  onMessage(take: (message: FromRuntime) => void): void;
  onEnd(take: (reason: string) => void): void;
  stop(): Promise<void>;
}

const runtimeFile = join(import.meta.dirname, 'lambda-runtime.ts');
/** Lambda's own limit for loading a function. */
const initSeconds = 10;

/**
 * Starts an instance of a function: a process of its own with exactly the environment of the function, as on Lambda. Events may
 * be given to it at once. It ends with this process, whatever becomes of it.
 */
export function startInstance(spec: FunctionSpec, arn: string): Instance {
  const settings: RuntimeSettings = {
    bundle: pathToFileURL(spec.bundle).href,
    functionName: spec.name,
    arn,
    memoryMb: spec.memoryMb,
    logStream: `local/[$LATEST]${randomUUID().replaceAll('-', '')}`,
  };
  const scratch = spec.scratch === undefined ? undefined : join(spec.scratch, randomUUID());
  if (scratch !== undefined) mkdirSync(scratch, { recursive: true });
  const environment = lambdaEnvironment(spec, settings, scratch);
  const channel = openProcess(spec, settings, environment);
  let ended: string | undefined;
  let waiting: ((message: Exclude<FromRuntime, { kind: 'ready' }>) => void) | undefined;
  const ready = new Promise<void>((resolve) => {
    channel.onMessage((message) => {
      if (message.kind === 'ready') resolve();
      else waiting?.(message);
    });
    channel.onEnd((reason) => {
      ended ??= reason;
      resolve();
      waiting?.({ kind: 'failure', payload: failureText('Runtime.ExitError', ended) });
    });
  });

  return {
    alive: () => ended === undefined,
    async stop() {
      await channel.stop();
      if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
    },
    async invoke(event) {
      await Promise.race([ready, sleep(initSeconds * 1000)]);
      if (ended !== undefined) return { payload: failureText('Runtime.ExitError', ended), functionError: 'Unhandled' };
      const requestId = randomUUID();
      const answer = new Promise<Exclude<FromRuntime, { kind: 'ready' }>>((resolve) => (waiting = resolve));
      channel.post({ ...event, requestId, deadline: Date.now() + spec.timeoutSeconds * 1000 });
      const timer = setTimeout(() => {
        ended = `Task timed out after ${spec.timeoutSeconds}.00 seconds`;
        const text = `${new Date().toISOString()} ${requestId} ${ended}`;
        waiting?.({ kind: 'failure', payload: failureText('Sandbox.Timedout', text) });
        void channel.stop();
      }, spec.timeoutSeconds * 1000);
      const { kind, payload } = await answer;
      clearTimeout(timer);
      waiting = undefined;
      return kind === 'answer' ? { payload } : { payload, functionError: 'Unhandled' };
    },
  };
}

/** JSON text of a failure that the function itself could not tell. */
export function failureText(errorType: string, errorMessage: string): string {
  return JSON.stringify({ errorType, errorMessage });
}

function openProcess(spec: FunctionSpec, settings: RuntimeSettings, env: Record<string, string>): Channel {
  const child: ChildProcess = fork(runtimeFile, [JSON.stringify(settings)], {
    env,
    execArgv: [`--max-old-space-size=${spec.memoryMb}`],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  drain(spec, child.stdout, child.stderr);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    post: (message) => void child.send(message, () => undefined),
    onMessage: (take) => void child.on('message', (message) => take(message as FromRuntime)),
    onEnd(take) {
      child.on('error', (error) => take(`Runtime exited with error: ${error.message}`));
      child.on('exit', (code, signal) =>
        take(`Runtime exited with error: ${signal === null ? `exit status ${code}` : 'signal: killed'}`),
      );
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function drain(spec: FunctionSpec, ...streams: (Readable | null)[]): void {
  for (const stream of streams) {
    if (spec.log === undefined) stream?.resume();
    else stream?.on('data', spec.log);
  }
}

/** Variables that Lambda itself sets, as its Node runtime has them; credentials and endpoints belong to `environment`. */
function lambdaEnvironment(
  spec: FunctionSpec,
  settings: RuntimeSettings,
  scratch: string | undefined,
): Record<string, string> {
  const region = settings.arn.split(':')[3] ?? '';
  return {
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: settings.logStream,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    _HANDLER: 'index.handler',
    ...(scratch === undefined ? {} : { TMPDIR: scratch }),
    ...spec.environment,
  };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
