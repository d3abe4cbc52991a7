import { once } from 'node:events';
import { connect } from 'node:net';
import { serve, type ServerType } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWebhookApp } from '#functions/webhook/app.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { fixture, repository, secret, signature } from './deliveries.ts';

function nothing(): void {}

describe('over a real connection', () => {
  let server: ServerType;
  let port = 0;
  const hints: string[] = [];

  beforeAll(async () => {
    const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
    const app = createWebhookApp({
      findSecrets: async (id) => (id === repository ? [secret] : undefined),
      enqueue: async (hint) => void hints.push(hint.repository),
      clock: createSystemClock(),
      log,
      metrics: { count: nothing, observe: nothing, gauge: nothing },
    });
    port = await new Promise((resolve) => {
      server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) => resolve(info.port));
    });
  });

  afterAll(async () => {
    server.close();
    await once(server, 'close');
  });

  it('cuts a chunked body without an end off after 5 MiB, and serves others all the while (NT-01, FT-08)', async () => {
    const socket = connect(port, '127.0.0.1');
    const answer: Buffer[] = [];
    socket.on('data', (data: Buffer) => answer.push(data));
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    const headers = Object.entries(signature('github', 'x')).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST /webhooks/github/${repository} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${headers.join('')}\r\n`,
    );
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x20), Buffer.from('\r\n')]);
    let sent = 0;
    while (!socket.destroyed && answer.length === 0 && sent < 64 * 1024 * 1024) {
      sent += chunk.length;
      socket.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    socket.end();
    await closed;
    expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(32 * 1024 * 1024);

    const body = JSON.stringify(fixture('github-push').body);
    const response = await fetch(`http://127.0.0.1:${port}/webhooks/github/${repository}`, {
      method: 'POST',
      body,
      headers: { ...fixture('github-push').headers, ...signature('github', body) },
    });
    expect(response.status).toBe(202);
    expect(hints).toEqual([repository]);
  });

  it('refuses an unsigned delivery without waiting for its body (NT-02)', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /webhooks/github/${repository} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n{`);
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(data.toString()).toMatch(/^HTTP\/1\.1 401 /);
  });
});
