import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Access, Connection } from './connection.ts';
import { createLimiter } from './limiter.ts';

export interface KubeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query below the server's URL. */
  path: string;
  body?: string;
  contentType?: string;
  accept?: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface KubeResponse {
  status: number;
  text: string;
}

/** Requests to one API server. */
export interface Requests {
  /**
   * Sends until there is an answer: 429, 502, 503, 504 and broken connections are tried again (all our requests may be
   * repeated: server-side applies, deletes with preconditions, reads). Any other status is an answer.
   * Throws `cluster-unreachable` when tries are used up.
   */
  send(request: KubeRequest): Promise<KubeResponse>;
  /** Opens an endless answer (a watch); not counted against the concurrency limit. Errors before the first byte throw. */
  stream(path: string, signal: AbortSignal): Promise<IncomingMessage>;
  /** Requests sent so far, by verb: for tests and metrics. */
  readonly counts: Record<string, number>;
  close(): void;
}

export interface RequestsDeps {
  connection: Connection;
  clock: Clock;
  /** Requests in flight at once; watches come on top. */
  concurrency?: number;
  random?: () => number;
  /** How the API server's audit log names us. */
  userAgent?: string;
}

const tries = 5;
const defaultTimeout = 30_000;
const firstBackoff = 200;
const longestBackoff = 10_000;

/** Creates the client: keep-alive connections, bounded concurrency, back-off with full jitter, Retry-After obeyed by all. */
export function createRequests(deps: RequestsDeps): Requests {
  const { connection, clock, random = Math.random } = deps;
  const concurrency = deps.concurrency ?? 16;
  const limiter = createLimiter(concurrency);
  const pool = createPool(connection, concurrency, deps.userAgent ?? 'hawser-agent');
  const counts: Record<string, number> = {};
  /** One told to wait means that all wait: the server is overloaded, not the request. */
  let pausedUntil = 0;

  async function attempt(request: KubeRequest, fresh: boolean): Promise<KubeResponse & { retryAfter?: number }> {
    const access = await connection.access(fresh);
    const response = await limiter.run(async () => {
      if (clock.monotonic() < pausedUntil) await clock.sleep(pausedUntil - clock.monotonic(), request.signal);
      counts[request.method] = (counts[request.method] ?? 0) + 1;
      return exchange(pool.open(access, request, false), request);
    });
    const seconds = Number(response.headers['retry-after']);
    const retryAfter = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined;
    if (retryAfter !== undefined && response.status === 429) pausedUntil = clock.monotonic() + retryAfter;
    return { status: response.status, text: response.text, ...(retryAfter === undefined ? {} : { retryAfter }) };
  }

  async function send(request: KubeRequest): Promise<KubeResponse> {
    let failure = '';
    let fresh = false;
    for (let n = 0; n < tries; n += 1) {
      request.signal?.throwIfAborted();
      let wait = random() * Math.min(longestBackoff, firstBackoff * 4 ** n);
      try {
        const response = await attempt(request, fresh);
        const again = isTransient(response.status) || (response.status === 401 && !fresh);
        if (!again) return response;
        fresh = response.status === 401;
        wait = fresh ? 0 : Math.max(wait, response.retryAfter ?? 0);
        failure = `status ${response.status}`;
      } catch (error) {
        if (error instanceof HawserError) throw error;
        failure = messageOf(error);
      }
      if (n < tries - 1) await clock.sleep(wait, request.signal);
    }
    throw new HawserError('cluster-unreachable', `${request.method} ${request.path.split('?')[0]}: ${failure}`, {
      retry: 'later',
    });
  }

  return {
    counts,
    send,
    async stream(path, signal) {
      const access = await connection.access();
      counts['WATCH'] = (counts['WATCH'] ?? 0) + 1;
      return openStream(pool.open(access, { method: 'GET', path }, true), signal);
    },
    close: () => pool.close(),
  };
}

function isTransient(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

/** Sockets of one set of TLS material; new material (a rotated client certificate) opens new ones. */
function createPool(connection: Connection, concurrency: number, userAgent: string) {
  const secure = connection.server.protocol === 'https:';
  let tls: Access['tls'] | undefined;
  let agents: { short: HttpAgent; long: HttpAgent } | undefined;
  const base = connection.server.pathname.replace(/\/$/, '');

  function agentsFor(access: Access): { short: HttpAgent; long: HttpAgent } {
    if (agents !== undefined && tls === access.tls) return agents;
    // Requests under way end on their old connections; idle ones are of no use any more.
    for (const idle of Object.values(agents?.short.freeSockets ?? {}))
      for (const socket of idle ?? []) socket.destroy();
    tls = access.tls;
    // Said also where there is none: then nothing that Node was started with sends the API server's traffic through a proxy.
    const { proxy } = connection;
    const proxyEnv = proxy === undefined ? {} : { HTTPS_PROXY: proxy, HTTP_PROXY: proxy };
    const create = (maxSockets: number) => {
      const options = { keepAlive: true, keepAliveMsecs: 20_000, maxSockets, proxyEnv };
      return secure ? new HttpsAgent({ ...options, maxCachedSessions: 4, ...access.tls }) : new HttpAgent(options);
    };
    agents = { short: create(concurrency), long: create(Infinity) };
    return agents;
  }

  return {
    open(access: Access, request: KubeRequest, long: boolean): ClientRequest {
      const agent = long ? agentsFor(access).long : agentsFor(access).short;
      const headers: Record<string, string | number> = {
        Accept: request.accept ?? 'application/json',
        'User-Agent': userAgent,
        ...access.headers,
      };
      if (request.body !== undefined) {
        headers['Content-Type'] = request.contentType ?? 'application/json';
        headers['Content-Length'] = Buffer.byteLength(request.body);
      }
      const { hostname, port } = connection.server;
      const options = {
        agent,
        hostname: hostname.replaceAll(/[[\]]/g, ''),
        port,
        method: request.method,
        path: base + request.path,
        headers,
      };
      return secure ? httpsRequest(options) : httpRequest(options);
    },
    close(): void {
      agents?.short.destroy();
      agents?.long.destroy();
    },
  };
}

/** Sends the body, reads the whole answer; rejects on time-out, abort and broken or cut-off answers. */
function exchange(
  outgoing: ClientRequest,
  request: KubeRequest,
): Promise<KubeResponse & { headers: IncomingMessage['headers'] }> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timeout);
      request.signal?.removeEventListener('abort', abort);
    };
    const fail = (error: Error) => {
      done();
      reject(error);
    };
    // Without a socket (a tunnel that is being made) it would not say that it has ended.
    const end = (why: string) => fail(endOf(outgoing, why));
    const timeoutMs = request.timeoutMs ?? defaultTimeout;
    const timeout = setTimeout(() => end(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const abort = () => end('aborted');
    request.signal?.addEventListener('abort', abort, { once: true });
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', fail);
      incoming.on('end', () => {
        done();
        const text = parts.length === 1 ? parts[0]?.toString('utf8') : Buffer.concat(parts).toString('utf8');
        resolve({ status: incoming.statusCode ?? 0, text: text ?? '', headers: incoming.headers });
      });
    });
    outgoing.end(request.body);
  });
}

function endOf(outgoing: ClientRequest, why: string): Error {
  const error = new Error(why);
  outgoing.destroy(error);
  return error;
}

function openStream(outgoing: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      outgoing.destroy();
      reject(new Error('aborted'));
      return;
    }
    const timeout = setTimeout(() => reject(endOf(outgoing, 'no answer within 30 s')), defaultTimeout);
    const abort = () => reject(endOf(outgoing, 'aborted'));
    signal.addEventListener('abort', abort, { once: true });
    outgoing.on('error', (error) => {
      clearTimeout(timeout);
      signal.removeEventListener('abort', abort);
      reject(error);
    });
    outgoing.on('response', (incoming) => {
      clearTimeout(timeout);
      incoming.on('close', () => signal.removeEventListener('abort', abort));
      resolve(incoming);
    });
    outgoing.end();
  });
}
