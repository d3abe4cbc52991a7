import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { serveMetrics, type AgentFigures } from '#agent/metrics.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

const figures: AgentFigures = {
  applications: 2,
  objects: 7,
  version: 3,
  connected: false,
  ready: false,
  requests: { GET: 4 },
};

async function serve(now: () => AgentFigures): Promise<(path: string) => Promise<Response>> {
  server = serveMetrics(0, now);
  await new Promise((resolve) => server?.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return (path) => fetch(`http://127.0.0.1:${port}${path}`);
}

describe('what the agent says to probes and scrapers', () => {
  it('is alive from the start, and ready once what is stored is loaded, with or without the service', async () => {
    let ready = false;
    const get = await serve(() => ({ ...figures, ready }));
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(503);
    ready = true;
    expect((await get('/readyz')).status).toBe(200);
  });

  it('is OpenMetrics, and nothing else is served', async () => {
    const get = await serve(() => figures);
    const text = await (await get('/metrics')).text();
    expect(text).toContain('hawser_agent_objects 7');
    expect(text).toContain('hawser_agent_kubernetes_requests_total{method="GET"} 4');
    expect(text.endsWith('# EOF\n')).toBe(true);
    expect((await get('/state')).status).toBe(404);
  });
});
