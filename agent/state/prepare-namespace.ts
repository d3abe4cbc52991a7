import { HawserError } from '#shared/errors.ts';
import type { Cluster } from '../cluster/cluster.ts';

/** Makes the agent's own namespace where it is missing. Throws `apply-failed` when that is refused. */
export async function prepareNamespace(cluster: Cluster, name: string): Promise<void> {
  const kind = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
  const id = { group: '', kind: 'Namespace', namespace: '', name };
  // Where the chart installed us the namespace is there, and reading it may be forbidden.
  const found = await cluster.get(kind, id).catch((error: unknown) => {
    if (error instanceof HawserError && error.code === 'forbidden') return true;
    throw error;
  });
  if (found !== undefined) return;
  const labels = { 'app.kubernetes.io/managed-by': 'hawser' };
  const written = await cluster.create(kind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  if (written.ok || written.reason === 'conflict') return;
  throw new HawserError('apply-failed', `Namespace ${name} could not be created: ${written.message}`, {
    retry: 'later',
  });
}
