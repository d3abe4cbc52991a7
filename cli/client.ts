import type { Command } from 'commander';
import type { StreamEvent } from '#shared/messages/api.ts';
import { findTarget, type Target } from './config.ts';
import type { Context } from './context.ts';
import { exitCode, Failure, RefusedByService } from './failure.ts';
import { readServerSentEvents } from './server-sent-events.ts';

/** The HTTP API. Every call throws a Failure that says what and what to do. */
export interface Client {
  readonly target: Target;
  get<T>(path: string, query?: Query): Promise<T>;
  /** The answer as it is. */
  text(path: string): Promise<string>;
  post<T>(path: string, body?: unknown): Promise<T>;
  delete<T>(path: string, query?: Query): Promise<T>;
  /** Live updates until the signal is aborted; throws where there is no stream, ends where it is cut off. */
  stream(signal: AbortSignal, opened: () => void): AsyncGenerator<StreamEvent>;
}

export type Query = Record<string, string | number | readonly string[] | undefined>;

interface Content {
  query?: Query | undefined;
  body?: unknown;
}

/** Longest that one call may take. */
const callTimeoutMs = 30_000;
/** The service says something at least every 15 s. */
const streamSilenceMs = 45_000;

/** A client for the server that options, environment and files name. */
export function connect(context: Context, command: Command): Client {
  const options = command.optsWithGlobals<{ server?: string; token?: string }>();
  return createClient(findTarget(options, context), context);
}

/** A client for this server. */
export function createClient(target: Target, context: Pick<Context, 'fetch' | 'signal' | 'version'>): Client {
  return {
    target,
    get: (path, query) => call('GET', path, { query }),
    text: (path) => answer('GET', path, {}),
    post: (path, body) => call('POST', path, { body: body ?? {} }),
    delete: (path, query) => call('DELETE', path, { query }),
    stream,
  };

  async function call<T>(method: string, path: string, what: Content): Promise<T> {
    const text = await answer(method, path, what);
    if (text === '') return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new Failure(
        exitCode.unreachable,
        `${target.server} does not answer like a Hawser service`,
        whereFrom(target),
      );
    }
  }

  async function answer(method: string, path: string, what: Content): Promise<string> {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(callTimeoutMs)]);
    const body = what.body === undefined ? {} : { body: JSON.stringify(what.body) };
    const headers = { ...commonHeaders(), ...(what.body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await send(`${path}${queryText(what.query)}`, { method, headers, signal, ...body });
    const text = await response.text().catch((error: unknown) => {
      throw unreachable(target, error);
    });
    if (!response.ok) throw new RefusedByService(response.status, problemIn(text));
    return text;
  }

  async function* stream(signal: AbortSignal, opened: () => void): AsyncGenerator<StreamEvent> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), streamSilenceMs);
    try {
      const response = await send('/api/v1/stream', {
        headers: { ...commonHeaders(), accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, context.signal, silence.signal]),
      });
      if (!response.ok || response.body === null) throw new RefusedByService(response.status, {});
      opened();
      const heard = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), streamSilenceMs);
      };
      for await (const event of readServerSentEvents(response.body, heard)) {
        if (event.data !== '') yield JSON.parse(event.data) as StreamEvent;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async function send(path: string, init: RequestInit): Promise<Response> {
    try {
      // A redirect to elsewhere would take the token along.
      return await context.fetch(`${target.server}${path}`, { redirect: 'error', ...init });
    } catch (error) {
      throw unreachable(target, error);
    }
  }

  function commonHeaders(): Record<string, string> {
    return {
      accept: 'application/json',
      'user-agent': `hawser/${context.version}`,
      ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }),
    };
  }
}

function queryText(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

function problemIn(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function unreachable(target: Target, error: unknown): Failure {
  return new Failure(
    exitCode.unreachable,
    `cannot reach ${target.server}: ${reasonOf(error)}`,
    whereFrom(target),
    error,
  );
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name cannot be looked up now',
  ECONNRESET: 'the connection was cut off',
  ETIMEDOUT: 'no answer',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_SOCKET: 'the connection was cut off',
  EHOSTUNREACH: 'the host cannot be reached',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed (NODE_EXTRA_CA_CERTS names a file with yours)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed (NODE_EXTRA_CA_CERTS names a file with yours)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted (NODE_EXTRA_CA_CERTS names a file with yours)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

function reasonOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at.name === 'TimeoutError') return `no answer within ${callTimeoutMs / 1000} s`;
    const inner = at instanceof AggregateError ? (at.errors[0] as unknown) : at;
    const code = String((inner as { code?: unknown } | undefined)?.code ?? '');
    if (reasons[code] !== undefined) return reasons[code];
    if (at.cause === undefined && at.message !== '') return code === '' ? at.message : code;
  }
  return String(error);
}

function whereFrom({ source, file }: Target): string {
  if (source === 'option') return 'Check the address given with --server.';
  if (source === 'environment') return 'Check HAWSER_SERVER.';
  if (source === 'login') return `The address is from ${file ?? 'the login file'}; \`hawser login SERVER\` changes it.`;
  return `The address is from ${file ?? '.hawser/run.json'}; start the service again with \`npm start\`.`;
}
