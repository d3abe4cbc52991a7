import { HawserError } from '#shared/errors.ts';
import type { ClusterCapabilities, ClusterKind } from '#shared/domain/cluster.ts';
import type { Requests } from './requests.ts';

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

interface GroupDiscoveryList {
  kind: string;
  items?: {
    metadata?: { name?: string };
    versions?: {
      version: string;
      freshness?: string;
      resources?: { resource: string; scope: string; responseKind?: { kind?: string }; verbs?: string[] }[];
    }[];
  }[];
}

interface ResourceList {
  resources?: { name: string; namespaced: boolean; kind: string; verbs: string[] }[];
}

interface GroupList {
  groups?: { name: string; versions: { version: string }[] }[];
}

interface Found {
  /** In the server's order: preferred versions first. */
  kinds: ClusterKind[];
  broken: Set<string>;
}

/** What kinds a cluster serves. */
export interface Discovery {
  kindOf(id: { group: string; kind: string; version?: string }): ClusterKind | undefined;
  isGroupBroken(group: string): boolean;
  discover(): Promise<ClusterCapabilities>;
}

/** Creates a catalogue that is empty until the first `discover`. Calls that overlap share one read. */
export function createDiscovery(requests: Requests): Discovery {
  let byKind = new Map<string, ClusterKind[]>();
  let broken = new Set<string>();
  let running: Promise<ClusterCapabilities> | undefined;

  async function discover(): Promise<ClusterCapabilities> {
    const [found, version, system] = await Promise.all([readKinds(requests), readVersion(requests), readUid(requests)]);
    const next = Map.groupBy(found.kinds, (kind) => `${kind.group}/${kind.kind}`);
    // A group whose server is down keeps what was known of it (G-12).
    for (const [key, kinds] of byKind)
      if (!next.has(key) && found.broken.has(kinds[0]?.group ?? '')) next.set(key, kinds);
    byKind = next;
    broken = found.broken;
    return { kubernetesVersion: version, uid: system, kinds: [...next.values()].flat() };
  }

  return {
    kindOf({ group, kind, version }) {
      const kinds = byKind.get(`${group}/${kind}`);
      return version === undefined ? kinds?.[0] : kinds?.find((candidate) => candidate.version === version);
    },
    isGroupBroken: (group) => broken.has(group),
    discover() {
      running ??= discover().finally(() => (running = undefined));
      return running;
    },
  };
}

async function readKinds(requests: Requests): Promise<Found> {
  const core = await requests.send({ method: 'GET', path: '/api', accept: `${aggregated},application/json` });
  const groups = await requests.send({ method: 'GET', path: '/apis', accept: `${aggregated},application/json` });
  if (core.status !== 200 || groups.status !== 200) {
    throw new HawserError('cluster-unreachable', `discovery answered ${core.status} and ${groups.status}`, {
      retry: 'later',
    });
  }
  const lists = [JSON.parse(core.text), JSON.parse(groups.text)] as GroupDiscoveryList[];
  if (lists.every((list) => list.kind === 'APIGroupDiscoveryList')) return fromAggregated(lists);
  return readOneByOne(requests, JSON.parse(groups.text) as GroupList);
}

function fromAggregated(lists: GroupDiscoveryList[]): Found {
  const kinds: ClusterKind[] = [];
  const broken = new Set<string>();
  for (const item of lists.flatMap((list) => list.items ?? [])) {
    const group = item.metadata?.name ?? '';
    for (const { version, freshness, resources } of item.versions ?? []) {
      if (freshness === 'Stale') broken.add(group);
      for (const resource of resources ?? []) {
        const kind = resource.responseKind?.kind;
        if (kind === undefined || kind === '' || !isManageable(resource.verbs)) continue;
        kinds.push({ group, version, kind, plural: resource.resource, namespaced: resource.scope === 'Namespaced' });
      }
    }
  }
  return { kinds, broken };
}

/** Clusters before 1.27 do not know aggregated discovery. */
async function readOneByOne(requests: Requests, groups: GroupList): Promise<Found> {
  const kinds: ClusterKind[] = [];
  const broken = new Set<string>();
  const all = [{ name: '', versions: [{ version: 'v1' }] }, ...(groups.groups ?? [])];
  const read = all.flatMap(({ name, versions }) =>
    versions.map(({ version }) => readGroupVersion(requests, name, version)),
  );
  for (const answer of await Promise.all(read)) {
    if (answer.kinds === undefined) broken.add(answer.group);
    else kinds.push(...answer.kinds);
  }
  return { kinds, broken };
}

async function readGroupVersion(
  requests: Requests,
  group: string,
  version: string,
): Promise<{ group: string; kinds?: ClusterKind[] }> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const response = await requests.send({ method: 'GET', path }).catch(() => undefined);
  if (response?.status !== 200) return { group };
  const { resources = [] } = JSON.parse(response.text) as ResourceList;
  const kinds = resources
    .filter(({ name, verbs }) => !name.includes('/') && isManageable(verbs))
    .map(({ name, kind, namespaced }) => ({ group, version, kind, plural: name, namespaced }));
  return { group, kinds };
}

/** Reviews and the like can only be created: they are questions, not objects. */
function isManageable(verbs: string[] = []): boolean {
  return verbs.includes('get') && verbs.includes('patch');
}

async function readVersion(requests: Requests): Promise<string> {
  const response = await requests.send({ method: 'GET', path: '/version' });
  const { gitVersion } = JSON.parse(response.text) as { gitVersion?: string };
  return gitVersion ?? 'unknown';
}

/** The UID of kube-system tells clusters apart (NT-153). */
async function readUid(requests: Requests): Promise<string> {
  const response = await requests.send({ method: 'GET', path: '/api/v1/namespaces/kube-system' });
  if (response.status !== 200) return 'unknown';
  return (JSON.parse(response.text) as { metadata: { uid: string } }).metadata.uid;
}
