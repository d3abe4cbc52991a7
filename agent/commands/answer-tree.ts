import { messageOf } from '#shared/errors.ts';
import { computeHealth } from '#shared/domain/health.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import { idOf, parseKey, type KubeObject } from '#shared/domain/kube-object.ts';
import type { Answer, TreeNode } from '#shared/messages/cluster-command.ts';
import type { ReconcileDeps } from '../reconcile/deps.ts';
import type { AppRuntime } from '../reconcile/runtime.ts';

/** Kinds that workloads own. Listed by namespace, because owner references cannot be searched. */
const childKinds = [
  { group: 'apps', kind: 'ReplicaSet' },
  { group: 'apps', kind: 'ControllerRevision' },
  { group: 'batch', kind: 'Job' },
  { group: '', kind: 'Pod' },
  { group: '', kind: 'PersistentVolumeClaim' },
  { group: 'discovery.k8s.io', kind: 'EndpointSlice' },
];

/** Kinds whose objects own others; without one of them there is nothing to list. */
const owningKinds = new Set([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
  'Service',
  'ReplicationController',
]);
const mostNodes = 5000;

interface OwnerReference {
  uid: string;
}

/** What the application's objects own in the cluster (ReplicaSets, Pods…), followed along owner references. */
export async function answerTree(
  deps: ReconcileDeps,
  app: AppRuntime | undefined,
  command: { question: string },
): Promise<Answer> {
  const { question } = command;
  if (app === undefined) return { question, error: 'this application is not in this cluster' };
  try {
    const children = await listChildren(deps, namespacesOf(app));
    const uids = Object.fromEntries([...app.observed].map(([key, seen]) => [key, seen.uid]));
    return { question, uids, nodes: followOwners(new Set(Object.values(uids)), children).slice(0, mostNodes) };
  } catch (error) {
    return { question, error: messageOf(error) };
  }
}

function namespacesOf(app: AppRuntime): Set<string> {
  const namespaces = new Set<string>();
  for (const key of app.observed.keys()) {
    const { kind, group, namespace } = parseKey(key);
    // A custom resource may own anything; of built-in kinds it is known which do.
    if (namespace !== '' && (owningKinds.has(kind) || group.includes('.'))) namespaces.add(namespace);
  }
  return namespaces;
}

async function listChildren(deps: ReconcileDeps, namespaces: Set<string>): Promise<TreeNode[]> {
  const nodes: TreeNode[] = [];
  const lists = [...namespaces].flatMap((namespace) => childKinds.map((child) => ({ namespace, child })));
  await Promise.all(
    lists.map(async ({ namespace, child }) => {
      const kind = deps.cluster.kindOf(child);
      if (kind === undefined) return;
      for await (const page of deps.cluster.list(kind, { namespace })) {
        for (const object of page) {
          const owners = ownersOf(object);
          if (owners.length > 0) nodes.push(nodeOf(object, owners));
        }
      }
    }),
  );
  return nodes;
}

/** Children of what is owned, their children, and so on. */
export function followOwners(owned: ReadonlySet<string>, nodes: readonly TreeNode[]): TreeNode[] {
  const reached = new Set(owned);
  const found: TreeNode[] = [];
  let rest = nodes;
  for (let before = -1; before !== found.length;) {
    before = found.length;
    const open: TreeNode[] = [];
    for (const node of rest) {
      if (!node.owners.some((owner) => reached.has(owner))) {
        open.push(node);
        continue;
      }
      // A managed object that is itself owned is shown among the managed ones.
      if (!owned.has(node.uid)) found.push(node);
      reached.add(node.uid);
    }
    rest = open;
  }
  return found;
}

function ownersOf(object: KubeObject): string[] {
  const references = object.metadata['ownerReferences'];
  return Array.isArray(references) ? (references as unknown as OwnerReference[]).map((reference) => reference.uid) : [];
}

function nodeOf(object: KubeObject, owners: string[]): TreeNode {
  const health = computeHealth(object);
  const createdAt = object.metadata['creationTimestamp'];
  const info = infoOf(object);
  return {
    uid: object.metadata.uid ?? '',
    ...idOf(object),
    owners,
    ...(health === undefined ? {} : { health }),
    ...(typeof createdAt === 'string' ? { createdAt } : {}),
    ...(info === undefined ? {} : { info }),
  };
}

/** A few words beside the name: `Running 1/1`, `revision 3`, `2/3 ready`. */
export function infoOf(object: KubeObject): string | undefined {
  const status = isJsonObject(object['status']) ? object['status'] : {};
  const spec = isJsonObject(object['spec']) ? object['spec'] : {};
  switch (object.kind) {
    case 'Pod': {
      const containers = Array.isArray(status['containerStatuses']) ? status['containerStatuses'] : [];
      const all = Array.isArray(spec['containers']) ? spec['containers'].length : containers.length;
      const ready = containers.filter((container) => isJsonObject(container) && container['ready'] === true).length;
      const waiting = containers
        .map((container) =>
          isJsonObject(container) && isJsonObject(container['state']) ? container['state']['waiting'] : undefined,
        )
        .find(isJsonObject);
      const phase = waiting?.['reason'] ?? status['phase'] ?? 'Unknown';
      return `${String(phase)} ${ready}/${all}`;
    }
    case 'ReplicaSet': {
      const revision = object.metadata.annotations?.['deployment.kubernetes.io/revision'];
      return `${revision === undefined ? '' : `revision ${revision}, `}${Number(status['readyReplicas'] ?? 0)}/${Number(spec['replicas'] ?? 0)} ready`;
    }
    case 'ControllerRevision':
      return `revision ${String(object['revision'] ?? '')}`;
    case 'Job':
      return `${Number(status['succeeded'] ?? 0)}/${Number(spec['completions'] ?? 1)} succeeded`;
    case 'PersistentVolumeClaim':
      return String(status['phase'] ?? 'Unknown');
    default:
      return undefined;
  }
}
