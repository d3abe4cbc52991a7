import type { KubeObject } from '#shared/domain/kube-object.ts';
import { fieldManager } from '#shared/domain/tracking.ts';
import type { ReconcileDeps } from './deps.ts';
import type { AppRuntime } from './runtime.ts';

/** Many applications share a namespace; when it vanishes meanwhile the apply says so and the retry asks. */
const believedMs = 30_000;

/**
 * `CreateNamespace=true`: makes the destination namespace unless the snapshot brings it along or it is there.
 * It is not tracked and never pruned, as in Argo CD; its labels and annotations are ours where the policy names some.
 * Returns why it was refused.
 */
export async function ensureNamespace(deps: ReconcileDeps, app: AppRuntime): Promise<string | undefined> {
  const { policy, destinationNamespace: name } = app.root;
  if (!policy.createNamespace || name === '') return undefined;
  if (app.desired.objects.has(`/Namespace//${name}`) || app.namespaceReady === app.root.generation) return undefined;
  const { namespaceMetadata } = policy;
  if (namespaceMetadata === undefined && (deps.namespaces.get(name) ?? 0) > deps.clock.monotonic()) return undefined;
  const kind = deps.cluster.kindOf({ group: '', kind: 'Namespace' });
  if (kind === undefined) return undefined;
  if (namespaceMetadata === undefined && hasObjectsIn(app, name)) return undefined;
  const live = await deps.cluster.get(kind, { group: '', kind: 'Namespace', namespace: '', name });
  if (live === undefined || (namespaceMetadata !== undefined && lacks(live, namespaceMetadata))) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...namespaceMetadata } };
    const text = JSON.stringify(namespace);
    const written = await deps.cluster.apply({ kind, namespace: '', name, text, fieldManager, force: true });
    if (!written.ok) return written.message;
  }
  deps.namespaces.set(name, deps.clock.monotonic() + believedMs);
  app.namespaceReady = app.root.generation;
  return undefined;
}

/** Then the namespace was there a moment ago, and no question need be asked. */
function hasObjectsIn(app: AppRuntime, namespace: string): boolean {
  for (const key of app.observed.keys()) if (key.split('/')[2] === namespace) return true;
  return false;
}

function lacks(
  live: KubeObject,
  wanted: { labels?: Record<string, string>; annotations?: Record<string, string> },
): boolean {
  const differs = (have: Record<string, string> | undefined, want: Record<string, string> | undefined) =>
    Object.entries(want ?? {}).some(([name, value]) => have?.[name] !== value);
  return differs(live.metadata.labels, wanted.labels) || differs(live.metadata.annotations, wanted.annotations);
}
