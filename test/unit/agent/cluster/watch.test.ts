import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRequests, type Requests } from '#agent/cluster/requests.ts';
import { watchKind, type WatchHandler } from '#agent/cluster/watch.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { silent } from '../harness.ts';

let server: Server;
let requests: Requests;
let lists: number;
let watches: string[];
let onWatch: (response: ServerResponse, number: number, query: URLSearchParams) => void;
let stop: AbortController;
let seen: string[];
let running: Promise<void>;

const clock = createSystemClock();
const kind = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const line = (type: string, name: string, version: string) =>
  `${JSON.stringify({ type, object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', resourceVersion: version } } })}\n`;
/** Ends sleeps at once, so that back-off costs no time here. */
const hurried = { ...clock, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };

beforeEach(async () => {
  lists = 0;
  watches = [];
  seen = [];
  stop = new AbortController();
  server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://api');
    if (url.searchParams.get('watch') === '1') {
      watches.push(url.searchParams.get('resourceVersion') ?? '');
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
      onWatch(response, watches.length, url.searchParams);
      return;
    }
    lists += 1;
    const items = [{ metadata: { name: `listed-${lists}`, namespace: 'shop', resourceVersion: '5' } }];
    response.end(JSON.stringify({ metadata: { resourceVersion: String(lists * 100) }, items }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  requests = createRequests({
    connection: { server: url, access: async () => ({ tls: {}, headers: {} }) },
    clock: hurried,
  });
});

afterEach(async () => {
  stop.abort();
  server.closeAllConnections();
  await running;
  requests.close();
  await new Promise((resolve) => server.close(resolve));
});

function start(watchSeconds = 60): void {
  const handler: WatchHandler = {
    listing: () => void seen.push('listing'),
    seen: (object) => void seen.push(`seen ${object.metadata.name}`),
    listed: (version) => void seen.push(`listed ${version}`),
    removed: (object) => void seen.push(`removed ${object.metadata.name}`),
    failed: () => void seen.push('failed'),
  };
  const target = { kind, namespace: '', labelSelector: 'x' };
  running = watchKind(
    { requests, clock: hurried, log: silent, watchSeconds, silenceMs: 50 },
    target,
    handler,
    stop.signal,
  );
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`seen: ${seen.join(', ')}; watches: ${watches.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a watch', () => {
  it('lists, then tells of changes, whatever pieces they come in', async () => {
    onWatch = (response) => {
      const text = line('ADDED', 'ä', '101') + line('MODIFIED', 'b', '102') + line('DELETED', 'c', '103');
      for (const byte of Buffer.from(text)) response.write(Buffer.from([byte]));
    };
    start();
    await until(() => seen.includes('removed c'));
    expect(seen).toEqual(['listing', 'seen listed-1', 'listed 100', 'seen ä', 'seen b', 'removed c']);
    expect(watches).toEqual(['100']);
  });

  it('goes on from the last version, bookmarks included, when the server ends it: no new list (INV-29)', async () => {
    onWatch = (response, number) => {
      if (number === 1) response.end(line('ADDED', 'a', '101') + line('BOOKMARK', '', '150'));
    };
    start();
    await until(() => watches.length === 2);
    expect(watches).toEqual(['100', '150']);
    expect(lists).toBe(1);
  });

  it('lists again when its version is gone, inside a 200 answer too (FT-100)', async () => {
    onWatch = (response, number) => {
      if (number === 1)
        response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, metadata: {} } })}\n`);
    };
    start();
    await until(() => watches.length === 2);
    expect(lists).toBe(2);
    expect(watches[1]).toBe('200');
  });

  it('says that it failed and lists again when the connection breaks or the answer makes no sense (INV-30)', async () => {
    onWatch = (response, number) => {
      if (number === 1) response.destroy();
      if (number === 2) response.write('not json\n');
    };
    start();
    await until(() => watches.length === 3);
    expect(seen.filter((event) => event === 'failed')).toHaveLength(2);
    expect(lists).toBe(3);
  });

  it('does not trust silence: a connection that says nothing past its end is given up (INV-30, FT-100)', async () => {
    onWatch = () => undefined;
    start(0.05);
    await until(() => watches.length >= 2);
    expect(lists).toBeGreaterThanOrEqual(2);
    expect(seen).toContain('failed');
  });
});
