import { createServer, request as httpRequest, Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AwsWatch, EmulatorUser } from '#localstack/aws/service.ts';

/** One request to AWS as it came by. */
export interface AwsCall {
  /** Who stands before the proxy; who calls is said by the key. */
  user: EmulatorUser;
  accessKeyId: string;
  /** As in the prefix of IAM actions: `dynamodb`, `sqs`, `kms`, `secretsmanager`, `sts`, `lambda`. */
  service: string;
  operation: string;
  input: Record<string, unknown>;
}

/** What STS gave to whom. */
export interface AwsSession {
  roleArn: string;
  name: string;
  tags: Record<string, string>;
  /** The inline session policy, as parsed JSON. */
  policy: unknown;
}

export interface AwsRecorder {
  between: NonNullable<AwsWatch['between']>;
  /** By access key. */
  sessions: Map<string, AwsSession>;
  /** Calls for which it says true are refused with AccessDenied, and recorded nevertheless. */
  refuse: (call: AwsCall) => boolean;
}

/** The services by what their JSON protocols call them. */
const services: Record<string, string> = {
  DynamoDB_20120810: 'dynamodb',
  AmazonSQS: 'sqs',
  TrentService: 'kms',
  secretsmanager: 'secretsmanager',
};
const emulators = ['dynamodb', 'localstack', 'lambda'] as const;

/**
 * Proxies before the emulators, and before Lambda's Invoke API, that tell `onCall` of each request before it is passed on.
 * A request that cannot be understood is refused and told to `onUnknown`.
 */
export function createAwsRecorder(listener: {
  onCall(call: AwsCall): void;
  onUnknown(what: string): void;
}): AwsRecorder {
  const recorder: AwsRecorder = {
    sessions: new Map(),
    refuse: () => false,
    async between(user, endpoints) {
      const opened = await Promise.all(
        emulators.map((name) => openProxy(endpoints[name], (asked, response) => handle(user, asked, response))),
      );
      const [dynamodb = '', localstack = '', lambda = ''] = opened.map(({ url }) => url);
      return {
        endpoints: { dynamodb, localstack, sts: localstack, lambda },
        stop: async () => void (await Promise.all(opened.map((proxy) => proxy.stop()))),
      };
    },
  };
  return recorder;

  async function handle(user: EmulatorUser, asked: Asked, response: ServerResponse): Promise<void> {
    const call = callOf(user, asked);
    if (call === undefined) {
      listener.onUnknown(`${asked.method} ${asked.path} ${String(asked.headers['x-amz-target'])}`);
      return refuse(response);
    }
    listener.onCall(call);
    if (recorder.refuse(call)) return refuse(response);
    if (call.service !== 'sts') return asked.pass(response);
    const { status, body } = await asked.passWhole(response);
    if (status === 200 && call.operation === 'AssumeRole') keepSession(recorder.sessions, call, body);
  }
}

interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Passes it on, and the answer back. */
  pass(response: ServerResponse): void;
  passWhole(response: ServerResponse): Promise<{ status: number; body: string }>;
}

function callOf(user: EmulatorUser, { path, headers, body }: Asked): AwsCall | undefined {
  const accessKeyId = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1];
  if (accessKeyId === undefined) return undefined;
  const invoked = /^\/2015-03-31\/functions\/([^/?]+)\/invocations$/.exec(path)?.[1];
  if (invoked !== undefined) {
    const input = { FunctionName: decodeURIComponent(invoked) };
    return { user, accessKeyId, service: 'lambda', operation: 'Invoke', input };
  }
  const [target = '', operation] = String(headers['x-amz-target'] ?? '').split('.');
  if (operation !== undefined) {
    const service = services[target];
    if (service === undefined) return undefined;
    return { user, accessKeyId, service, operation, input: JSON.parse(body.toString()) as Record<string, unknown> };
  }
  if (!String(headers['content-type']).startsWith('application/x-www-form-urlencoded')) return undefined;
  const { Action: action = '', Version: version, ...input } = Object.fromEntries(new URLSearchParams(body.toString()));
  return version === '2011-06-15' ? { user, accessKeyId, service: 'sts', operation: action, input } : undefined;
}

/** `Tags.member.1.Key` and so on: the query protocol's way to write a list. */
export function tagsOf(input: Record<string, unknown>): Record<string, string> {
  const keys = Object.keys(input).flatMap((name) => /^Tags\.member\.(\d+)\.Key$/.exec(name)?.[1] ?? []);
  return Object.fromEntries(
    keys.map((at) => [String(input[`Tags.member.${at}.Key`]), String(input[`Tags.member.${at}.Value`])]),
  );
}

function keepSession(sessions: AwsRecorder['sessions'], { input }: AwsCall, answer: string): void {
  const key = /<AccessKeyId>([^<]+)<\/AccessKeyId>/.exec(answer)?.[1];
  if (key === undefined) throw new Error(`STS answered no key: ${answer.slice(0, 200)}`);
  const policy = input['Policy'];
  sessions.set(key, {
    roleArn: String(input['RoleArn']),
    name: String(input['RoleSessionName']),
    tags: tagsOf(input),
    policy: typeof policy === 'string' ? JSON.parse(policy) : undefined,
  });
}

function refuse(response: ServerResponse): void {
  response.writeHead(403, {
    'content-type': 'application/x-amz-json-1.0',
    'x-amzn-query-error': 'AccessDeniedException;Sender',
  });
  response.end(JSON.stringify({ __type: 'com.amazonaws#AccessDeniedException', message: 'refused by the test' }));
}

async function openProxy(
  target: string,
  handle: (asked: Asked, response: ServerResponse) => Promise<void>,
): Promise<{ url: string; stop(): Promise<void> }> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const asked = askedOf(target, agent, request, Buffer.concat(parts));
      handle(asked, response).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      agent.destroy();
    },
  };
}

function askedOf(target: string, agent: Agent, request: IncomingMessage, body: Buffer): Asked {
  const { method = '', url: path = '/', headers } = request;
  const send = (response: ServerResponse, take: (answer: IncomingMessage) => void) => {
    const onward = httpRequest(
      new URL(path, target),
      { method, agent, headers: { ...headers, host: new URL(target).host } },
      take,
    );
    onward.on('error', () => response.destroy());
    // A long poll that its caller gave up takes no message from anybody.
    response.on('close', () => onward.destroy());
    onward.end(body);
  };
  return {
    method,
    path,
    headers,
    body,
    pass: (response) =>
      send(response, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      }),
    passWhole: (response) =>
      new Promise((resolve) => {
        send(response, (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => {
            const whole = Buffer.concat(parts);
            // Kept before the caller can use what it is given.
            resolve({ status: answer.statusCode ?? 502, body: whole.toString() });
            setImmediate(() => {
              response.writeHead(answer.statusCode ?? 502, answer.headers);
              response.end(whole);
            });
          });
        });
      }),
  };
}
