import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { parse } from 'yaml';

export interface WatchEvent {
  type: string;
  object: {
    metadata: { name: string; namespace?: string; resourceVersion: string };
    data?: Record<string, string>;
    spec?: Record<string, unknown>;
  };
  /** `performance.now()` when the event's line had come. */
  at: number;
}

/** Watches a path of the API server; calls back for every event until closed. */
export async function watchKube(
  kubeconfig: string,
  path: string,
  onEvent: (event: WatchEvent) => void,
): Promise<{ close(): void }> {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    users: { user: { token: string } }[];
  };
  const cluster = config.clusters[0]?.cluster;
  const url = new URL(path, cluster?.server);
  url.searchParams.set('watch', 'true');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        ca: Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString(),
        headers: { authorization: `Bearer ${config.users[0]?.user.token ?? ''}` },
      },
      (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          const at = performance.now();
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') onEvent({ ...(JSON.parse(line) as Omit<WatchEvent, 'at'>), at });
        });
        response.on('error', () => undefined);
        resolve({ close: () => outgoing.destroy() });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}
