import type { Application } from '#shared/domain/application.ts';
import { keyOf } from '#shared/domain/kube-object.ts';
import type { ApplicationStatus, Condition } from '#shared/domain/status.ts';
import type { ApplicationDetail, ApplicationSummary, ResourceView } from '#shared/messages/api.ts';
import { clusterKey, organisationKey, repositoryKey, sortKeys } from '#shared/state/keys.ts';
import { listClusters, listRepositories, normaliseRepositoryUrl } from '#shared/state/registry.ts';
import { isSourceFailure, summarise, type StoredSummary } from '#shared/state/status.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { eachRow } from '#shared/state/update.ts';
import type { ApiDeps } from './context.ts';

/** An agent that was not heard for three heartbeats of 30 s: what it said is old (INV-32). */
const staleAfterMs = 90_000;

/** What is joined into every application when it is read, so that it costs one write however many applications there are. */
export interface Overlay {
  /** Clusters whose agent is silent. */
  silent: Set<string>;
  /** Trouble with reading a source, by repository URL and selector. */
  sources: Map<string, Condition & { ticket?: number }>;
}

/** Reads the overlay: a row per cluster and a few per repository. */
export async function readOverlay(deps: Pick<ApiDeps, 'store' | 'clock'>, organisation: string): Promise<Overlay> {
  const [clusters, repositories] = await Promise.all([
    listClusters(deps.store, organisation),
    listRepositories(deps.store, organisation),
  ]);
  const seen = await deps.store.getMany<{ at: string }>(
    clusters.map((cluster) => ({ partition: clusterKey(organisation, cluster.id), sort: sortKeys.seen })),
  );
  const seenAt = new Map(seen.map((row) => [row.partition, Date.parse(row.value.at)]));
  const now = deps.clock.now();
  const silent = clusters
    .filter((cluster) => now - (seenAt.get(clusterKey(organisation, cluster.id)) ?? 0) > staleAfterMs)
    .map((cluster) => cluster.id);
  const sources: Overlay['sources'] = new Map();
  await Promise.all(
    repositories.map(async (repository) => {
      const { rows } = await deps.store.query<SourceRow>(repositoryKey(organisation, repository.id), {
        prefix: 'HEADREF#',
        limit: 500,
      });
      for (const row of rows) {
        const { error, selector } = row.value;
        if (error) sources.set(sourceKey(repository.id, selector), sourceCondition(error));
      }
    }),
  );
  return { silent: new Set(silent), sources };
}

interface SourceRow {
  selector: string;
  error?: { code: string; message: string; since: string; ticket?: number };
}

function sourceCondition({ code, message, since, ticket }: NonNullable<SourceRow['error']>) {
  const type: Condition['type'] = code === 'revision-not-found' ? 'SourceMissing' : 'ComparisonError';
  return { type, message, lastTransitionTime: since, ...(ticket === undefined ? {} : { ticket }) };
}

function sourceKey(repository: string, selector: string): string {
  return `${repository} ${selector === '' ? 'HEAD' : selector}`;
}

/** Every summary of the organisation, with what is joined in. */
export async function readSummaries(
  deps: Pick<ApiDeps, 'store' | 'clock'>,
  organisation: string,
): Promise<ApplicationSummary[]> {
  const [overlay, repositories] = await Promise.all([
    readOverlay(deps, organisation),
    repositoryIds(deps.store, organisation),
  ]);
  const summaries: ApplicationSummary[] = [];
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(organisation), 'APP#')) {
    summaries.push(withOverlay(row.value, overlay, repositories));
  }
  return summaries;
}

/** Some summaries by id; those that are gone are missing. */
export async function readSummariesOf(
  deps: Pick<ApiDeps, 'store' | 'clock'>,
  organisation: string,
  ids: readonly string[],
): Promise<ApplicationSummary[]> {
  const [overlay, repositories] = await Promise.all([
    readOverlay(deps, organisation),
    repositoryIds(deps.store, organisation),
  ]);
  const rows = await deps.store.getMany<StoredSummary>(
    ids.map((id) => ({ partition: organisationKey(organisation), sort: sortKeys.summary(id) })),
  );
  return rows.map((row) => withOverlay(row.value, overlay, repositories));
}

async function repositoryIds(store: StateStore, organisation: string): Promise<Map<string, string>> {
  const repositories = await listRepositories(store, organisation);
  return new Map(repositories.map((repository) => [normaliseRepositoryUrl(repository.url), repository.id]));
}

function withOverlay(
  summary: StoredSummary,
  overlay: Overlay,
  repositories: ReadonlyMap<string, string>,
): ApplicationSummary {
  const url = summary.repository === '' ? '' : normaliseRepositoryUrl(summary.repository);
  const trouble = overlay.sources.get(sourceKey(repositories.get(url) ?? '', summary.targetRevision));
  return {
    ...summary,
    stale: overlay.silent.has(summary.cluster),
    ...(trouble === undefined ? {} : { sync: 'Unknown' as const, message: trouble.message }),
  };
}

/**
 * The line of an application as its status has it, in one piece with everything else that is shown of that status. The list
 * is written right after it: `listed` gives what only that knows. Pure.
 */
export function summaryOf(
  application: Application,
  status: ApplicationStatus,
  listed: ApplicationSummary,
  overlay: Overlay,
): ApplicationSummary {
  const trouble = troublesOf(application, overlay)[0];
  return {
    ...summarise(application, status, listed.updatedAt, listed.objects),
    stale: listed.stale,
    ...(trouble === undefined ? {} : { sync: 'Unknown', message: trouble.message }),
  };
}

/** One application's page. Pure. */
export function detailOf(
  application: Application,
  status: ApplicationStatus,
  listed: ApplicationSummary,
  extras: {
    overlay: Overlay;
    children: ApplicationSummary[];
    declared: Record<string, unknown>;
    /** Ticket of the newest plan that has decided about its head. */
    decided: number;
  },
): ApplicationDetail {
  const conditions = conditionsOf(application, status, extras.overlay);
  return {
    ...summaryOf(application, status, listed, extras.overlay),
    declared: extras.declared,
    resources: [
      ...status.resources.map((resource) => ({ ...resource, key: keyOf(resource) })),
      ...extras.children.map(childResource),
    ],
    drift: status.drift.map((drift) => ({ ...drift, key: keyOf(drift) })),
    conditions,
    ...(status.operation === undefined ? {} : { operationState: status.operation }),
    ...(status.hold === undefined ? {} : { hold: status.hold }),
    images: status.images,
    ...(status.desired === undefined ? {} : { desired: status.desired }),
    dependsOn: application.dependsOn,
    children: extras.children.map((child) => child.id),
    plannedTicket: plannedTicketOf(application, status, extras),
    ...(status.report === undefined ? {} : { reportedAt: status.report.at }),
  };
}

/** The newest plan that has nothing left to say. A later one than that of a complaint is about to take the complaint back. */
function plannedTicketOf(
  application: Application,
  { sourceTicket = 0, sourceConditions }: ApplicationStatus,
  { overlay, decided }: { overlay: Overlay; decided: number },
): number {
  const troubles = troublesOf(application, overlay).map(({ ticket = 0 }) => ticket);
  return Math.max(sourceTicket, sourceConditions.some(isSourceFailure) ? 0 : decided, ...troubles);
}

/** All conditions: of the declaration, of the source, of the agent. */
export function conditionsOf(application: Application, status: ApplicationStatus, overlay: Overlay): Condition[] {
  const invalid: Condition[] =
    application.invalid === undefined
      ? []
      : [{ type: 'InvalidSpecError', message: application.invalid, lastTransitionTime: status.health.since }];
  const sources = troublesOf(application, overlay).map(({ ticket: _, ...condition }) => condition);
  return [...invalid, ...sources, ...status.sourceConditions, ...status.conditions];
}

function troublesOf(application: Application, overlay: Overlay): (Condition & { ticket?: number })[] {
  return application.sources.flatMap((source) => {
    const trouble = overlay.sources.get(sourceKey(source.repository, source.revision));
    return trouble === undefined ? [] : [trouble];
  });
}

/** A child of an app of apps, as a resource of its parent. */
export function childResource(child: ApplicationSummary): ResourceView {
  const argo = child.kind === 'Application';
  const id = {
    group: argo ? 'argoproj.io' : 'kustomize.toolkit.fluxcd.io',
    version: argo ? 'v1alpha1' : 'v1',
    kind: child.kind,
    namespace: child.namespace,
    name: child.name,
  };
  return { ...id, key: keyOf(id), status: 'Synced', health: { status: child.health } };
}
