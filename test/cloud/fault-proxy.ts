import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call of an AWS service with the JSON protocol, as it came by. */
export interface Call {
  /** `PutItem`, `SendMessageBatch`, `Sign` … */
  operation: string;
  input: Json;
}

// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

/**
 * What happens to a call. `refuse`: the service is never asked. `cutAfter`: it does as asked, its answer is lost.
 * `twice`: it is asked twice. `input`, `output`: changed on the way.
 */
export type Fault =
  | { refuse: { status: number; error: string; message?: string } }
  | { cutAfter: true }
  | { twice: true }
  | { input?: (input: Json) => Json; output: (output: Json) => Json };

export interface FaultProxy {
  url: string;
  /** Every call in order, also those that were refused. */
  calls: Call[];
  /** Decides over each call; undefined passes it on. */
  faults: (call: Call) => Fault | undefined;
  stop(): Promise<void>;
}

/** A proxy in front of an emulator that does what the cloud does and emulators do not: throttle, lose answers, do half. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const server = createServer((request, response) => {
    handle(proxy, target, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    faults: () => undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;
}

/** A decision for the first `times` calls of an operation; later ones pass. */
export function first(times: number, operation: string, fault: Fault): FaultProxy['faults'] {
  let left = times;
  return (call) => {
    if (call.operation !== operation || left === 0) return undefined;
    left -= 1;
    return fault;
  };
}

async function handle(
  proxy: FaultProxy,
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await bodyOf(request);
  const operation = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
  const input: Json = body.length === 0 ? {} : JSON.parse(body.toString());
  const call = { operation, input };
  proxy.calls.push(call);
  const fault = proxy.faults(call);
  if (fault !== undefined && 'refuse' in fault) {
    const { status, error, message = 'by the test' } = fault.refuse;
    response.writeHead(status, {
      'content-type': 'application/x-amz-json-1.0',
      'x-amzn-query-error': `${error};Sender`,
    });
    response.end(JSON.stringify({ __type: `com.amazonaws#${error}`, message }));
    return;
  }
  const changed = fault !== undefined && 'output' in fault ? fault : undefined;
  const sent = changed?.input === undefined ? body : Buffer.from(JSON.stringify(changed.input(input)));
  const answer = await ask(target, request, sent);
  if (fault !== undefined && 'twice' in fault) await ask(target, request, sent);
  if (fault !== undefined && 'cutAfter' in fault) {
    response.destroy();
    return;
  }
  const text = changed === undefined ? answer.text : JSON.stringify(changed.output(JSON.parse(answer.text)));
  response.writeHead(answer.status, { 'content-type': answer.type }).end(text);
}

async function ask(
  target: string,
  request: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; type: string; text: string }> {
  const names = ['content-type', 'x-amz-target', 'authorization', 'x-amz-date', 'x-amzn-query-mode'];
  const headers = names.flatMap((name) => {
    const value = request.headers[name];
    return typeof value === 'string' ? [[name, value] as [string, string]] : [];
  });
  const answer = await fetch(new URL(request.url ?? '/', target), {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  });
  const type = answer.headers.get('content-type') ?? 'application/x-amz-json-1.0';
  return { status: answer.status, type, text: await answer.text() };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
