import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { getCACertificates } from 'node:tls';

import { sha256 } from '../../domain/digest.ts';
import { HawserError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { publicLookup } from './address.ts';
import type { GitLimits } from './limits.ts';
import { cutShort } from './pkt-line.ts';

/** One request to a Git host. */
export interface HttpCall {
  url: URL;
  headers: Record<string, string>;
  /** A POST with this body; a GET without. */
  body?: Buffer;
  /** Certificate authorities (PEM) that are trusted besides the public ones. */
  ca?: string;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** To be read to its end, left in the middle (which closes the connection), or discarded. */
  body: AsyncIterable<Buffer>;
  /** Ends an answer whose body nobody has begun to read. */
  discard(): void;
}

/** HTTP with kept connections, time limits and byte counting; follows no redirect by itself. */
export interface Transport {
  send(call: HttpCall): Promise<HttpAnswer>;
  /** Body bytes received since the start. */
  received(): number;
}

export interface TransportOptions {
  clock: Clock;
  limits: Pick<GitLimits, 'requestSeconds' | 'idleSeconds'>;
  denyPrivateAddresses: boolean;
}

/** Sets of certificate authorities whose connections are kept. */
const OWN_AUTHORITIES = 16;

/**
 * Node's own client instead of fetch: it never follows a redirect with credentials (NT-26), takes a DNS function
 * that checks what it connects to (NT-80), and needs 20 MB less memory.
 */
export function createTransport(options: TransportOptions): Transport {
  const settings = { keepAlive: true, maxSockets: 16, keepAliveMsecs: 15_000 };
  const plain = new PlainAgent(settings);
  const secure = new SecureAgent(settings);
  /** One for each set of authorities: a connection that one trusts must not serve another. */
  const withOwn = new Map<string, SecureAgent>();
  let received = 0;

  function agentOf({ url, ca }: HttpCall): PlainAgent | SecureAgent {
    if (url.protocol !== 'https:') return plain;
    if (ca === undefined) return secure;
    const key = sha256(ca);
    const agent = withOwn.get(key) ?? new SecureAgent({ ...settings, ca: [...getCACertificates('default'), ca] });
    withOwn.delete(key);
    withOwn.set(key, agent);
    const [oldest] = withOwn.keys();
    if (withOwn.size > OWN_AUTHORITIES && oldest !== undefined) withOwn.delete(oldest);
    return agent;
  }

  async function send(call: HttpCall): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const request = start(call, options, agentOf(call));
      const deadline = endAfter(request, options);
      try {
        const message = await answerTo(request, call.body);
        return {
          status: message.statusCode ?? 0,
          headers: message.headers,
          body: bodyOf(message, deadline),
          discard() {
            deadline.cancel();
            message.destroy();
          },
        };
      } catch (error) {
        deadline.cancel();
        // A kept connection that the host has closed meanwhile: nothing was answered, so asking again is safe.
        if (request.reusedSocket && attempt < 4 && !(error instanceof HawserError)) continue;
        throw deadline.error() ?? unreachable(call.url, error);
      }
    }
  }

  async function* bodyOf(message: IncomingMessage, deadline: Deadline): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of message as AsyncIterable<Buffer>) {
        received += chunk.length;
        yield chunk;
      }
      if (!message.complete) throw cutShort();
    } catch (error) {
      throw deadline.error() ?? (error instanceof HawserError ? error : cutShort());
    } finally {
      deadline.cancel();
    }
  }

  return { send, received: () => received };
}

function start(call: HttpCall, options: TransportOptions, agent: PlainAgent | SecureAgent): ClientRequest {
  const send = call.url.protocol === 'https:' ? secureRequest : plainRequest;
  return send(call.url, {
    agent,
    method: call.body === undefined ? 'GET' : 'POST',
    headers: {
      'user-agent': 'git/hawser',
      'accept-encoding': 'identity',
      ...call.headers,
      ...(call.body === undefined ? {} : { 'content-length': String(call.body.length) }),
    },
    ...(options.denyPrivateAddresses ? { lookup: publicLookup } : {}),
  });
}

function answerTo(request: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve);
  // Stays for the life of the request: an error after the response is the body's, and must not be unhandled.
  request.on('error', reject);
  request.end(body);
  return promise;
}

interface Deadline {
  cancel(): void;
  /** Why the request was ended here; Node tells the reader of the body only «aborted». */
  error(): HawserError | undefined;
}

/** Ends a request that is idle or slow. */
function endAfter(request: ClientRequest, { clock, limits }: TransportOptions): Deadline {
  const finished = new AbortController();
  let reason: HawserError | undefined;
  function end(error: HawserError): void {
    reason = error;
    request.destroy(error);
  }
  request.setTimeout(limits.idleSeconds * 1000, () => end(timeout(limits.idleSeconds, 'sent nothing for')));
  void endLate();
  async function endLate(): Promise<void> {
    await clock.sleep(limits.requestSeconds * 1000, finished.signal);
    if (!finished.signal.aborted) end(timeout(limits.requestSeconds, 'was not done after'));
  }
  return { cancel: () => finished.abort(), error: () => reason };
}

function timeout(seconds: number, what: string): HawserError {
  return new HawserError('repository-unreachable', `The Git host ${what} ${seconds} s`, {
    retry: 'later',
    data: { seconds },
  });
}

function unreachable(url: URL, error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  return new HawserError('repository-unreachable', `${url.host} cannot be reached: ${messageOf(error)}`, {
    retry: 'later',
    data: { host: url.host },
    cause: error,
  });
}
