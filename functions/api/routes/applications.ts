import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import { keyOf, idOf, type KubeObject } from '#shared/domain/kube-object.ts';
import { redactObject } from '#shared/domain/redact.ts';
import {
  ApplicationDetail,
  ApplicationList,
  EventList,
  HistoryList,
  ResourceDetail,
  TreeView,
  type ApplicationSummary,
  type ResourceDetail as ResourceDetailType,
  type TreeView as TreeViewType,
} from '#shared/messages/api.ts';
import { healthStatuses } from '#shared/domain/status.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { readHead, rootOf } from '#shared/state/heads.ts';
import { initialStatus, readStatus } from '#shared/state/status.ts';
import { isoNow, requireApplication, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { ask } from '../questions.ts';
import { checked, describe } from '../openapi.ts';
import { readHistory } from '../history.ts';
import { objectOf } from '../objects.ts';
import { childResource, detailOf, readOverlay, readSummaries, readSummariesOf } from '../views.ts';
import { readEvents } from './events.ts';

const many = z.union([z.string(), z.array(z.string())]).optional();
const ListQuery = z.object({
  search: z.string().max(200).optional(),
  health: many,
  sync: many,
  cluster: many,
  project: many,
  kind: many,
  sort: z.enum(['name', '-name', 'health', '-health', 'sync', '-sync', 'updated', '-updated']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
});

/** Reading applications: the list, one of them, and what belongs to it. */
export function applicationRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('applications that match', ApplicationList), checked('query', ListQuery), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(listOf(await readSummaries(deps, organisation), c.req.valid('query')));
  });
  app.get('/:id', describe('one application', ApplicationDetail), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(await readDetail(deps, organisation, c.req.param('id')));
  });
  app.get('/:id/history', describe('generations, newest first', HistoryList), async (c) => {
    const { organisation } = requireUser(c);
    const application = await requireApplication(deps, organisation, c.req.param('id'));
    return c.json({ items: await readHistory(deps.store, organisation, application) });
  });
  app.get('/:id/events', describe('events, newest first', EventList), async (c) => {
    const { organisation } = requireUser(c);
    const application = await requireApplication(deps, organisation, c.req.param('id'));
    const page = { limit: c.req.query('limit'), cursor: c.req.query('cursor') };
    return c.json(await readEvents(deps, applicationKey(organisation, application.id), page, application.id));
  });
  app.get('/:id/tree', describe('resources and what they own', TreeView), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(await readTree(deps, organisation, c.req.param('id'), c.req.raw.signal));
  });
  app.get('/:id/resource', describe('one object, desired and live', ResourceDetail), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(
      await readResource(deps, organisation, c.req.param('id'), c.req.query('key') ?? '', c.req.raw.signal),
    );
  });
  app.get('/:id/manifests', describe('desired objects, Secrets masked'), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(await readManifests(deps, organisation, c.req.param('id'), c.req.query('generation')));
  });
  return app;
}

type ListQuery = z.infer<typeof ListQuery>;

/** Filters, sorts and pages summaries. Counts are over what the search leaves, before the facets, so that facets can be widened. Pure. */
export function listOf(summaries: ApplicationSummary[], query: ListQuery): z.infer<typeof ApplicationList> {
  const words = (query.search ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const found = summaries.filter((one) => {
    const text =
      `${one.id} ${one.name} ${one.namespace} ${one.project} ${one.cluster} ${one.destinationNamespace} ${one.repository} ${one.path} ${one.commit?.message ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const facet = (values: ListQuery['health'], value: string) =>
    values === undefined || (Array.isArray(values) ? values : [values]).includes(value);
  const matching = found.filter(
    (one) =>
      facet(query.health, one.health) &&
      facet(query.sync, one.sync) &&
      facet(query.cluster, one.cluster) &&
      facet(query.project, one.project) &&
      facet(query.kind, one.kind),
  );
  matching.sort(comparison(query.sort ?? 'name'));
  const start = query.cursor === undefined ? 0 : Number.parseInt(query.cursor, 10) || 0;
  const limit = query.limit ?? 200;
  const end = start + limit;
  return {
    items: matching.slice(start, end),
    ...(end < matching.length ? { next: String(end) } : {}),
    total: matching.length,
    counts: {
      health: count(found, (one) => one.health),
      sync: count(found, (one) => one.sync),
      clusters: count(found, (one) => one.cluster),
      projects: count(found, (one) => one.project),
    },
  };
}

function comparison(sort: NonNullable<ListQuery['sort']>): (a: ApplicationSummary, b: ApplicationSummary) => number {
  const field = sort.replace('-', '');
  const direction = sort.startsWith('-') ? -1 : 1;
  const worst = (one: ApplicationSummary) => -healthStatuses.indexOf(one.health);
  const byField = (a: ApplicationSummary, b: ApplicationSummary): number => {
    if (field === 'health') return worst(a) - worst(b);
    if (field === 'sync') return a.sync < b.sync ? -1 : a.sync > b.sync ? 1 : 0;
    if (field === 'updated') return a.updatedAt < b.updatedAt ? -1 : a.updatedAt > b.updatedAt ? 1 : 0;
    return 0;
  };
  return (a, b) => direction * byField(a, b) || byName(a, b) * (field === 'name' ? direction : 1);
}

/** By the name that people see; several may share it. */
function byName(a: ApplicationSummary, b: ApplicationSummary): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function count(summaries: ApplicationSummary[], of: (one: ApplicationSummary) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const summary of summaries) counts[of(summary)] = (counts[of(summary)] ?? 0) + 1;
  return counts;
}

async function readDetail(deps: ApiDeps, organisation: string, id: string) {
  const application = await requireApplication(deps, organisation, id);
  const [status, summaries, overlay, children, head] = await Promise.all([
    readStatus(deps.store, organisation, application.id),
    readSummariesOf(deps, organisation, [application.id]),
    readOverlay(deps, organisation),
    readChildren(deps, organisation, application.id),
    readHead(deps.store, organisation, application.cluster, application.id),
  ]);
  const summary = summaries[0];
  if (summary === undefined)
    throw new HawserError('not-found', `application ${id} is just being registered`, { hint: 'Try again.' });
  const declared = (await objectOf(deps, organisation, application)) as Record<string, unknown>;
  const extras = { overlay, children, declared, decided: head?.value.decided ?? 0 };
  return detailOf(application, status ?? initialStatus(isoNow(deps)), summary, extras);
}

async function readChildren(deps: ApiDeps, organisation: string, application: string): Promise<ApplicationSummary[]> {
  const row = await deps.store.get<{ applications: string[] }>(
    applicationKey(organisation, application),
    sortKeys.children,
  );
  return row === undefined ? [] : readSummariesOf(deps, organisation, row.value.applications);
}

async function readTree(deps: ApiDeps, organisation: string, id: string, signal: AbortSignal): Promise<TreeViewType> {
  const application = await requireApplication(deps, organisation, id);
  const [status, children] = await Promise.all([
    readStatus(deps.store, organisation, application.id),
    readChildren(deps, organisation, application.id),
    readHead(deps.store, organisation, application.cluster, application.id),
  ]);
  const resources = [
    ...(status?.resources ?? []).map((resource) => ({ ...resource, key: keyOf(resource) })),
    ...children.map(childResource),
  ];
  if ((status?.resources.length ?? 0) === 0) return { resources, nodes: [], live: true };
  const answer = await ask(
    deps,
    organisation,
    application.cluster,
    { type: 'tree', application: application.id },
    signal,
  );
  if (answer === undefined)
    return {
      resources,
      nodes: [],
      live: false,
      error: `the agent of cluster ${application.cluster} did not answer in time`,
    };
  if (answer.error !== undefined) return { resources, nodes: [], live: false, error: answer.error };
  const nodes = answer.nodes ?? [];
  const uids = new Map(Object.entries(answer.uids ?? {}));
  return {
    resources: resources.map((resource) => ({
      ...resource,
      ...(uids.has(resource.key) ? { uid: uids.get(resource.key) ?? '' } : {}),
    })),
    nodes: nodes.map((node) => JSON.parse(JSON.stringify(node))),
    live: true,
  };
}

async function readResource(
  deps: ApiDeps,
  organisation: string,
  id: string,
  key: string,
  signal: AbortSignal,
): Promise<ResourceDetailType> {
  const application = await requireApplication(deps, organisation, id);
  const desired = await findDesired(deps, organisation, application.cluster, application.id, key);
  const status = await readStatus(deps.store, organisation, application.id);
  // Only what belongs to the application may be looked at (NT-92).
  if (desired === undefined && !status?.resources.some((resource) => keyOf(resource) === key)) {
    throw new HawserError('not-found', `application ${id} has no object ${JSON.stringify(key.slice(0, 200))}`, {
      hint: 'Keys are group/kind/namespace/name.',
    });
  }
  const drift = status?.drift.find((one) => keyOf(one) === key && one.correctedAt === undefined);
  const answer = await ask(
    deps,
    organisation,
    application.cluster,
    { type: 'live', application: application.id, key },
    signal,
  );
  const masked = desired === undefined ? undefined : redactObject(desired);
  const base = { key, ...(masked === undefined ? {} : { desired: masked }), differences: drift?.fields ?? [] };
  if (answer === undefined)
    return { ...base, error: `the agent of cluster ${application.cluster} did not answer in time` };
  return {
    ...base,
    // Agents mask; whoever shows it masks again (NT-92).
    ...(answer.live === undefined ? {} : { live: isJsonObject(answer.live) ? redactObject(answer.live) : null }),
    ...(answer.error === undefined ? {} : { error: answer.error }),
  };
}

async function readManifests(deps: ApiDeps, organisation: string, id: string, generation: string | undefined) {
  const application = await requireApplication(deps, organisation, id);
  if (generation === undefined) {
    const head = await readHead(deps.store, organisation, application.cluster, application.id);
    if (head === undefined) return { generation: 0, objects: [] };
    const objects = await readObjects(deps, organisation, application.cluster, rootOf(head.value).chunks);
    return { generation: head.value.generation, objects: objects.map(redactObject) };
  }
  const row = await deps.store.get<{ content: { chunks: string[] } }>(
    applicationKey(organisation, application.id),
    sortKeys.history(Number(generation)),
  );
  if (row === undefined)
    throw new HawserError('not-found', `application ${id} has no generation ${generation} in its history`);
  const objects = await readObjects(deps, organisation, application.cluster, row.value.content.chunks);
  return { generation: Number(generation), objects: objects.map(redactObject) };
}

async function findDesired(
  deps: ApiDeps,
  organisation: string,
  cluster: string,
  application: string,
  key: string,
): Promise<KubeObject | undefined> {
  const head = await readHead(deps.store, organisation, cluster, application);
  if (head === undefined) return undefined;
  const objects = await readObjects(deps, organisation, cluster, rootOf(head.value).chunks);
  return objects.find((object) => keyOf(idOf(object)) === key);
}

async function readObjects(
  deps: ApiDeps,
  organisation: string,
  cluster: string,
  chunks: string[],
): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for (const digest of chunks) {
    const text = await deps.snapshots.read(organisation, cluster, digest);
    if (text === undefined) throw new HawserError('snapshot-invalid', `chunk ${digest} is gone or damaged`);
    for (const line of Buffer.from(text).toString().split('\n'))
      if (line !== '') objects.push(JSON.parse(line) as KubeObject);
  }
  return objects;
}
