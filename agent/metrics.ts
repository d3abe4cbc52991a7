import { createServer, type Server } from 'node:http';

/** What the agent says of itself to a scraper. */
export interface AgentFigures {
  applications: number;
  objects: number;
  version: number;
  connected: boolean;
  ready: boolean;
  requests: Record<string, number>;
}

/** Serves `/metrics` (OpenMetrics), `/healthz` and `/readyz`; the few lines that a scraper needs, without a library's megabytes. */
export function serveMetrics(port: number, figures: () => AgentFigures): Server {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') {
      response.writeHead(200).end('ok\n');
      return;
    }
    if (request.url === '/readyz') {
      const { ready } = figures();
      response.writeHead(ready ? 200 : 503).end(ready ? 'ok\n' : 'the stored state is not loaded yet\n');
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' });
    response.end(renderMetrics(figures(), process.memoryUsage.rss()));
  });
  server.listen(port);
  server.unref();
  return server;
}

/** The figures as OpenMetrics text. */
export function renderMetrics(figures: AgentFigures, memoryBytes: number): string {
  const gauges: [string, string, number][] = [
    ['hawser_agent_applications', 'Applications of this cluster.', figures.applications],
    ['hawser_agent_objects', 'Objects in inventories.', figures.objects],
    ['hawser_agent_head_version', 'Version of the head that was taken in.', figures.version],
    ['hawser_agent_connected', '1 while the service answers.', figures.connected ? 1 : 0],
    ['hawser_agent_ready', '1 once the stored state is loaded.', figures.ready ? 1 : 0],
    ['process_resident_memory_bytes', 'Resident memory.', memoryBytes],
  ];
  const lines = gauges.flatMap(([name, help, value]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ]);
  lines.push(
    '# HELP hawser_agent_kubernetes_requests Requests to the API server.',
    '# TYPE hawser_agent_kubernetes_requests counter',
  );
  for (const [method, count] of Object.entries(figures.requests)) {
    lines.push(`hawser_agent_kubernetes_requests_total{method="${method}"} ${count}`);
  }
  return `${lines.join('\n')}\n# EOF\n`;
}
