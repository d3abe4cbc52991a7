import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** Request and response of a synchronous invocation, bytes (AWS Lambda quotas). */
const maxRequest = 6_291_456;
const maxResponse = 6_291_556;

export interface LambdaOptions {
  /** Folder with index.mjs: the function's package. */
  task: string;
  /** Folder that the function sees as /opt: its layers. */
  layers: string;
  /** Beside Lambda's own variables. */
  environment?: Record<string, string>;
  timeoutSeconds?: number;
  memory?: number;
}

/** One Lambda function in tenant isolation mode, behind the Invoke API at `url`. */
export interface LambdaFunction {
  url: string;
  /** Environments started so far, as `TENANT#n`, and which of them are alive. */
  started: string[];
  alive(): string[];
  /** Makes the next invocations answer this instead. */
  answerNext(answer: { status: number; headers?: Record<string, string>; body: string }): void;
  close(): Promise<void>;
}

/** How environments are started here; `reason` where they cannot be as on Lambda. */
export function lambdaIsolation(): { ok: true; prefix: [string, ...string[]] } | { ok: false; reason: string } {
  const flags = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc'];
  const candidates: [string, ...string[]][] = [
    ['unshare', ...flags],
    ['unshare', '--map-root-user', ...flags],
  ];
  const script = 'mount -t tmpfs none /opt && mount -t tmpfs none /tmp && mount -t tmpfs none /var && mkdir /var/task';
  const prefix = candidates.find(([command, ...rest]) => {
    return spawnSync(command, [...rest, 'sh', '-c', script], { stdio: 'ignore' }).status === 0;
  });
  if (prefix !== undefined) return { ok: true, prefix };
  return { ok: false, reason: 'mount and process namespaces are not permitted on this machine' };
}

interface Invocation {
  id: string;
  event: string;
  settle: (outcome: Outcome) => void;
}

type Outcome = { body: string; error?: true };

interface Environment {
  name: string;
  tenant: string;
  child: ChildProcess;
  exited: Promise<void>;
  api: Server;
  /** The runtime's open question for work. */
  waiting: ServerResponse | undefined;
  current: Invocation | undefined;
  isDead: boolean;
}

/**
 * Runs a function's package as Lambda does: an environment for each tenant and invocation at once, with the package at
 * /var/task, the layers at /opt (both read-only), an empty /tmp, processes of its own, credentials in its environment; reused when it is idle,
 * replaced when its process ended. Throws where the machine does not permit that.
 */
export async function startLambda(options: LambdaOptions): Promise<LambdaFunction> {
  const isolation = lambdaIsolation();
  if (!isolation.ok) throw new Error(isolation.reason);
  const { prefix } = isolation;
  const environments: Environment[] = [];
  const started: string[] = [];
  const planned: Parameters<LambdaFunction['answerNext']>[0][] = [];

  async function startEnvironment(tenant: string): Promise<Environment> {
    const name = `${tenant}#${started.length + 1}`;
    started.push(name);
    const api = createServer((request, response) => void serveRuntime(environment, request, response));
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    const { port } = api.address() as AddressInfo;
    const variables = { ...lambdaVariables(port, options.memory ?? 3008), ...options.environment };
    const lines = Object.entries(variables).map(([key, value]) => `${key}='${value}'\n`);
    const runtime = join(import.meta.dirname, 'lambda-runtime.ts');
    const [command, ...rest] = prefix;
    const child = spawn(
      command,
      [...rest, 'sh', '-c', script, 'sh', options.task, options.layers, runtime, process.execPath],
      { env: { PATH: process.env['PATH'] }, stdio: ['pipe', 'ignore', 'ignore'] },
    );
    // Not as its environment: Lambda's first process has the credentials, but not where its /proc would show them.
    child.stdin?.end(lines.join(''));
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const environment: Environment = {
      exited,
      name,
      tenant,
      child,
      api,
      waiting: undefined,
      current: undefined,
      isDead: false,
    };
    child.once('exit', (code) => {
      environment.isDead = true;
      api.close();
      api.closeAllConnections();
      environment.current?.settle(failed('Runtime.ExitError', `Error: Runtime exited with error: exit status ${code}`));
    });
    environments.push(environment);
    return environment;
  }

  async function invoke(tenant: string, event: string): Promise<Outcome> {
    const idle = environments.find((each) => !each.isDead && each.tenant === tenant && each.current === undefined);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const invocation: Invocation = { id: randomUUID(), event, settle: resolve };
    if (idle !== undefined) idle.current = invocation;
    const environment = idle ?? (await startEnvironment(tenant));
    environment.current = invocation;
    deliver(environment);
    const seconds = options.timeoutSeconds ?? 90;
    const timer = setTimeout(() => {
      resolve(
        failed('Sandbox.Timedout', `RequestId: ${invocation.id} Error: Task timed out after ${seconds}.00 seconds`),
      );
      environment.child.kill('SIGKILL');
    }, seconds * 1000);
    const outcome = await promise;
    clearTimeout(timer);
    if (Buffer.byteLength(outcome.body) <= maxResponse) return outcome;
    return failed(
      'Function.ResponseSizeTooLarge',
      'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    );
  }

  const front = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const plan = planned.shift();
      if (plan !== undefined) return response.writeHead(plan.status, plan.headers ?? {}).end(plan.body);
      const tenant = request.headers['x-amz-tenant-id'];
      if (typeof tenant !== 'string')
        return refuse(response, 400, 'InvalidParameterValueException', 'tenant id is missing');
      if (body.length > maxRequest)
        return refuse(response, 413, 'RequestTooLargeException', `Request must be smaller than ${maxRequest} bytes`);
      const { body: answer, error } = await invoke(tenant, body.toString());
      return response.writeHead(200, error === undefined ? {} : { 'X-Amz-Function-Error': 'Unhandled' }).end(answer);
    })();
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    started,
    alive: () => environments.filter(({ isDead }) => !isDead).map(({ name }) => name),
    answerNext: (answer) => void planned.push(answer),
    async close() {
      front.close();
      front.closeAllConnections();
      for (const { child, isDead } of environments) if (!isDead) child.kill('SIGKILL');
      await Promise.all(environments.map(({ exited }) => exited));
    },
  };
}

/**
 * The file system of an environment: everything is tied in before anything is covered. There is no util-linux, and the first
 * process is not the runtime, as on Lambda.
 */
const script = `
set -e
mount -t tmpfs none /mnt && cd /mnt && mkdir task opt runtime && touch node runtime/lambda-runtime.ts
mount --bind "$1" task && mount -o remount,ro,bind task
mount --bind "$2" opt && mount -o remount,ro,bind opt
mount --bind "$3" runtime/lambda-runtime.ts
mount --bind "$4" node
mount --rbind /mnt /var && mount --rbind /mnt/opt /opt && mount -t tmpfs none /tmp
for tool in unshare prlimit; do for folder in /usr/bin /bin /sbin /usr/sbin /usr/local/bin; do
  [ ! -f "$folder/$tool" ] || mount --bind /dev/null "$folder/$tool"
done; done
cd / && set +e
set -a; eval "$(cat)"; set +a
/var/node /var/runtime/lambda-runtime.ts < /dev/null
exit $?
`;

function lambdaVariables(port: number, memory: number): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: 'AKIACANARYCANARY0001',
    AWS_SECRET_ACCESS_KEY: 'canary-secret-key',
    AWS_SESSION_TOKEN: 'canary-session-token',
    AWS_REGION: 'eu-central-1',
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: 'canary-function',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory),
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/canary-function',
    AWS_LAMBDA_LOG_STREAM_NAME: 'canary-stream',
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: 'index.handler',
    PATH: process.env['PATH'] ?? '',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
  };
}

async function serveRuntime(
  environment: Environment,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = (await bodyOf(request)).toString();
  const url = request.url ?? '';
  if (url.endsWith('/invocation/next')) {
    environment.waiting = response;
    deliver(environment);
    return;
  }
  const { current } = environment;
  const isAnswer = current !== undefined && url.endsWith(`/invocation/${current.id}/response`);
  if (isAnswer || current !== undefined) {
    environment.current = undefined;
    current.settle(isAnswer ? { body } : { body, error: true });
  }
  response.writeHead(202).end('{}');
}

function deliver(environment: Environment): void {
  const { waiting, current } = environment;
  if (waiting === undefined || current === undefined) return;
  environment.waiting = undefined;
  waiting.writeHead(200, { 'lambda-runtime-aws-request-id': current.id }).end(current.event);
}

function failed(errorType: string, errorMessage: string): Outcome {
  return { body: JSON.stringify({ errorType, errorMessage }), error: true };
}

function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { 'x-amzn-errortype': type }).end(JSON.stringify({ Type: 'User', Message: message }));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
