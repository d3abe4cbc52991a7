import { createServer, request as send } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProxyAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** What a Git proxy does to the traffic; every part can be changed while it runs. */
export interface GitProxyFaults {
  /** Speaks protocol 0: the client's wish for 2 is not passed on. */
  oldProtocol?: boolean;
  /** Answers by itself; `undefined` passes the request on. */
  answer?: (request: IncomingMessage) => ProxyAnswer | Promise<ProxyAnswer> | undefined;
  /** Cuts the connection after so many bytes of a response body. */
  cutAfter?: number;
  /** Changes response bodies that hold a pack. */
  changePack?: (body: Buffer) => Buffer;
}

/** A proxy in front of a Git host, for hosts that are old, broken or hostile. */
export interface GitProxy {
  url: string;
  faults: GitProxyFaults;
  /** Method and path of every request, with its `authorization`. */
  requests: { line: string; authorization: string | undefined }[];
  stop(): Promise<void>;
}

export async function startGitProxy(target: string, faults: GitProxyFaults = {}): Promise<GitProxy> {
  const requests: GitProxy['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization });
    const own = proxy.faults.answer?.(request);
    if (own !== undefined) {
      void Promise.resolve(own).then(({ status, headers, body }) => {
        request.resume();
        response.writeHead(status, headers ?? {}).end(body ?? '');
      });
      return;
    }
    pass(new URL(target), request, response, proxy.faults);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: GitProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    requests,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}

function pass(target: URL, request: IncomingMessage, response: ServerResponse, faults: GitProxyFaults): void {
  const { host: _host, connection: _connection, ...headers } = request.headers;
  if (faults.oldProtocol === true) delete headers['git-protocol'];
  const options = { method: request.method, headers, agent: false as const };
  const onward = send(new URL(request.url ?? '/', target), options, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => {
      let body = Buffer.concat(chunks);
      if (faults.changePack !== undefined && body.includes('PACK')) body = Buffer.from(faults.changePack(body));
      const { 'content-length': _length, 'transfer-encoding': _encoding, connection: _other, ...kept } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, { ...kept, 'content-length': body.length });
      if (faults.cutAfter === undefined || body.length <= faults.cutAfter) response.end(body);
      else response.write(body.subarray(0, faults.cutAfter), () => response.destroy());
    });
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}
