import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HawserError } from '#shared/errors.ts';
import type { HttpAnswer, HttpRequest } from './http-event.ts';

/** A server on 127.0.0.1 that reads requests whole. */
export interface HttpServer {
  port: number;
  stop(): Promise<void>;
}

/**
 * Answers each request with what `answer` gives. Bodies above `bodyLimit` bytes are given as undefined, without being read to
 * their end. Throws `unavailable` where the port is taken. Port 0 picks a free one.
 */
export async function serveHttp(options: {
  port: number;
  bodyLimit: number;
  answer: (request: Omit<HttpRequest, 'body'>, body: Uint8Array | undefined) => Promise<HttpAnswer>;
}): Promise<HttpServer> {
  const server = createServer((incoming, outgoing) => {
    void respond().catch(() => outgoing.destroy());

    async function respond(): Promise<void> {
      const body = await readBody(incoming, options.bodyLimit);
      const { status, headers, body: text } = await options.answer(requestOf(incoming), body);
      if (outgoing.destroyed) return;
      const length = ['content-length', String(text.length)] as const;
      const rest = headers.filter(([name]) => name !== 'content-length' && name !== 'connection');
      outgoing.writeHead(status, [...rest, length].flat());
      outgoing.end(incoming.method === 'HEAD' ? undefined : text);
    }
  });
  await listen(server, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function requestOf(incoming: IncomingMessage): Omit<HttpRequest, 'body'> {
  const raw = incoming.rawHeaders;
  const headers = Array.from(
    { length: raw.length / 2 },
    (_, at) => [raw[2 * at] ?? '', raw[2 * at + 1] ?? ''] as const,
  );
  return {
    method: incoming.method ?? 'GET',
    target: incoming.url ?? '/',
    headers,
    sourceIp: incoming.socket.remoteAddress ?? '127.0.0.1',
  };
}

async function readBody(incoming: IncomingMessage, limit: number): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.length;
    // Read on, so that the client hears the answer, but keep nothing.
    if (bytes <= limit) parts.push(part);
    else parts.length = 0;
    if (bytes > 2 * limit) break;
  }
  return bytes > limit ? undefined : Buffer.concat(parts);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const text = taken
        ? `port ${port} on 127.0.0.1 is taken by another program`
        : `cannot listen on port ${port}: ${error.message}`;
      const hint = taken
        ? 'Stop that program, or choose another port with --port.'
        : 'Choose another port with --port.';
      reject(new HawserError('unavailable', text, { hint, cause: error }));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}
