import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { HawserError, messageOf } from '#shared/errors.ts';
import { explainFailure, proxyEnvOf, type ProxySettings } from '../proxy.ts';

export interface HttpAnswer {
  status: number;
  text: string;
  retryAfterMs?: number;
}

export interface HttpJsonRequest {
  method: 'GET' | 'POST';
  path: string;
  body?: string;
  /** Shown as `Authorization: Bearer`. */
  bearer?: string;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface HttpJson {
  send(request: HttpJsonRequest): Promise<HttpAnswer>;
  close(): void;
}

/** Largest answer that is read at all. */
const largestAnswer = 128 * 1024 * 1024;

/** For a proxy to let us through. */
const tunnelTimeoutMs = 15_000;

/**
 * JSON over HTTP(S) with keep-alive and a whole-request deadline, through the proxy unless that leaves `base` out. Any status is
 * an answer; only broken connections throw, and name the proxy where it is to blame.
 */
export function createHttpJson(base: URL, proxy?: ProxySettings): HttpJson {
  const secure = base.protocol === 'https:';
  const agentOptions = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 8, proxyEnv: proxyEnvOf(proxy) };
  // Certificates are always verified; there is no flag to skip that (NT-152). Private authorities: NODE_EXTRA_CA_CERTS.
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const prefix = base.pathname.replace(/\/$/, '');

  function open(request: HttpJsonRequest): ClientRequest {
    const headers: Record<string, string | number> = { Accept: 'application/json' };
    if (request.bearer !== undefined) headers['Authorization'] = `Bearer ${request.bearer}`;
    if (request.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = Buffer.byteLength(request.body);
    }
    return (secure ? httpsRequest : httpRequest)({
      agent,
      hostname: base.hostname.replaceAll(/[[\]]/g, ''),
      port: base.port,
      method: request.method,
      path: prefix + request.path,
      headers,
      // Ends the wait for a tunnel, before the deadline does: then it is known whose fault it was. Nothing else listens to it.
      ...(proxy === undefined ? {} : { timeout: Math.min(tunnelTimeoutMs, 0.8 * request.timeoutMs) }),
    });
  }

  async function send(request: HttpJsonRequest): Promise<HttpAnswer> {
    try {
      return await exchange(open(request), request);
    } catch (error) {
      const { code } = error as { code?: string };
      const why = explainFailure(error, proxy) ?? messageOf(error);
      const what = `${base.host}${request.path.split('?')[0]}: ${why}`;
      const notDelivered = code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'ERR_PROXY_TUNNEL';
      throw new HawserError('unavailable', what, { cause: error, retry: 'later', data: { notDelivered } });
    }
  }

  return { send, close: () => agent.destroy() };
}

/** Sends and reads all of it. One deadline covers half-open connections and answers that drip (FT-51). */
function exchange(outgoing: ClientRequest, request: HttpJsonRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(deadline);
      request.signal?.removeEventListener('abort', abort);
    };
    const fail = (error: Error) => {
      done();
      reject(error);
    };
    // A request that waits for its tunnel has no socket yet, and says nothing of its end before it has one.
    const end = (why: string) => {
      const error = new Error(why);
      outgoing.destroy(error);
      fail(error);
    };
    const deadline = setTimeout(() => end(`no answer within ${request.timeoutMs / 1000} s`), request.timeoutMs);
    const abort = () => end('aborted');
    request.signal?.addEventListener('abort', abort, { once: true });
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      let size = 0;
      incoming.on('data', (part: Buffer) => {
        size += part.length;
        if (size > largestAnswer) outgoing.destroy(new Error('the answer is too large'));
        else parts.push(part);
      });
      incoming.on('error', fail);
      incoming.on('end', () => {
        done();
        resolve(answerOf(incoming, parts));
      });
    });
    if (request.signal?.aborted === true) abort();
    else outgoing.end(request.body);
  });
}

function answerOf(incoming: IncomingMessage, parts: Buffer[]): HttpAnswer {
  const seconds = Number(incoming.headers['retry-after']);
  return {
    status: incoming.statusCode ?? 0,
    text: Buffer.concat(parts).toString('utf8'),
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: Math.min(seconds, 300) * 1000 } : {}),
  };
}
