import { Agent, request } from 'node:https';
import { HawserError } from '#shared/errors.ts';

export interface KubeResponse {
  status: number;
  text: string;
}

/** A few plain requests to one API server; not for load. */
export interface KubeClient {
  /** Sends a request; any HTTP status is an answer, only a broken connection throws. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<KubeResponse>;
  /** GET, parsed; throws a HawserError where the status is not 2xx. */
  get<T>(path: string): Promise<T>;
  /** POST; an object that exists already is fine, any other refusal throws a HawserError. */
  create(path: string, body: unknown): Promise<void>;
  close(): void;
}

/** Creates the client. `server` is https://host:port, `ca` is PEM, `token` a bearer token. */
export function createKubeClient(options: { server: string; ca: string; token: string }): KubeClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: options.ca });
  const send: KubeClient['request'] = (method, path, body, contentType = 'application/json') =>
    sendRequest(agent, options, { method, path, body, contentType });
  return {
    request: send,
    async get<T>(path: string) {
      const answer = await send('GET', path);
      if (answer.status >= 300) throw refused('GET', path, answer);
      return JSON.parse(answer.text) as T;
    },
    async create(path, body) {
      const answer = await send('POST', path, body);
      if (answer.status >= 300 && answer.status !== 409) throw refused('POST', path, answer);
    },
    close: () => agent.destroy(),
  };
}

function sendRequest(
  agent: Agent,
  options: { server: string; token: string },
  call: { method: string; path: string; body: unknown; contentType: string },
): Promise<KubeResponse> {
  return new Promise((resolve, reject) => {
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers: Record<string, string> = { authorization: `Bearer ${options.token}`, accept: 'application/json' };
    if (text !== undefined) headers['content-type'] = call.contentType;
    const url = new URL(call.path, options.server);
    const message = request(url, { agent, method: call.method, headers, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    message.on('error', reject);
    message.on('timeout', () => message.destroy(new Error(`No answer from ${options.server} within 10 s`)));
    message.end(text);
  });
}

function refused(method: string, path: string, answer: KubeResponse): HawserError {
  const text = `${method} ${path} was answered with ${answer.status}: ${answer.text.slice(0, 300)}`;
  return new HawserError('unavailable', text, { retry: 'later' });
}
