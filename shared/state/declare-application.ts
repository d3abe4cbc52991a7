import { randomUUID } from 'node:crypto';
import { HawserError, messageOf } from '../errors.ts';
import { defaultPolicy, type Application } from '../domain/application.ts';
import { argoApplicationId, compileArgoApplication } from '../domain/compile/argo-application.ts';
import type { CompileContext } from '../domain/compile/context.ts';
import { compileFluxKustomization, kustomizationId, sourceRefOf } from '../domain/compile/flux-kustomization.ts';
import { unsupportedExpressions } from '../domain/ignore-rules.ts';
import { applicationViolations } from '../domain/fence.ts';
import { canonicalJson, isJsonObject, type JsonObject } from '../domain/json.ts';
import { bringsBack } from './bring-back.ts';
import { claim, isGivenUp } from './claims.ts';
import { createLookups, identity, type DeclareContext, type DeclareItem } from './declare-context.ts';
import { applicationKey, organisationKey, sortKeys } from './keys.ts';
import { getApplication } from './registry.ts';
import { updateStatus } from './status.ts';

/** What a plan wrote down about an application: the row `CLOSURE`. */
export interface ClosureRow {
  /** Revision of the SPEC row that was planned. */
  specRevision: number;
  /** Of the plan that wrote it. */
  ticket: number;
  /** The index may not hold all of `listed` yet. */
  pending?: true;
  /** Where it is listed in the index, so that it can be taken out there. */
  listed: { repository: string; selector: string; folders: { path: string; recursive: boolean }[] }[];
}

/** How often others may change an application while it is being declared. */
const attempts = 8;

/**
 * Registers or changes one Application or Kustomization. What somebody hands in and cannot be is refused; what an
 * application rendered and cannot be is kept as an invalid application, so that the trouble shows where people look.
 */
export async function declareApplication(context: DeclareContext, object: JsonObject): Promise<DeclareItem> {
  const { deps, request } = context;
  const declared = withoutStatus(object);
  const compiled = await compile(context, declared);
  const { id } = compiled;
  const item: DeclareItem = { ...identity(object), action: 'unchanged', application: id };
  const message = compiled.invalid ?? withoutEffect(compiled);
  if (message !== undefined) item.message = message;
  const partition = applicationKey(request.organisation, id);
  // Claimed first, then looked at once more: whoever gives it up marks it first, then looks for claims.
  let claimed = false;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = await deps.store.get<Application>(partition, sortKeys.spec);
    const parent = await otherParent(context, compiled, before?.value);
    if (parent !== undefined && compiled.parent !== undefined && !request.dryRun && !claimed) {
      await claim(deps, request.organisation, id, compiled.parent);
      claimed = true;
      continue;
    }
    refuseForeign(compiled, before?.value, parent);
    const next = carryOver(compiled, before?.value, parent, deps.clock.now());
    const same = before !== undefined && canonicalJson(before.value) === canonicalJson(next);
    item.action = before === undefined ? 'created' : same ? 'unchanged' : 'configured';
    if (parent !== undefined)
      item.message = [message, declaredBy(parent)].filter((text) => text !== undefined).join('; ');
    if (request.dryRun) return item;
    const revision = (before?.revision ?? 0) + (same ? 0 : 1);
    const condition = before === undefined ? ({ absent: true } as const) : { revision: before.revision };
    const row = { partition, sort: sortKeys.spec, revision, value: next };
    if (!same && !(await deps.store.put(row, condition))) continue;
    // A crash may have come between writing and asking for the plan: ask again as long as this revision has no plan.
    if (!same || (await plannedRevision(context, id)) !== revision) {
      const now = new Date(deps.clock.now()).toISOString();
      await updateStatus(deps, request.organisation, next, now, (status) => status);
      for (const source of next.sources) context.plan(source.repository, id);
    }
    // What it waits for may have come since we looked, and whoever brought it found nobody waiting.
    const fresh = { ...context, ...createLookups(deps, request) };
    const isOver = compiled.invalid !== undefined && (await compile(fresh, declared)).invalid === undefined;
    return isOver ? declareApplication(fresh, object) : item;
  }
  throw new HawserError('conflict', `application ${id} is being changed by too many at once`, { retry: 'later' });
}

/** The application that declares this one already, where it is not who declares it now. One that is gone holds nothing any more. */
async function otherParent(
  { deps, request }: DeclareContext,
  compiled: Application,
  before: Application | undefined,
): Promise<Application | undefined> {
  if (before?.parent === undefined || before.parent === compiled.parent) return undefined;
  if (compiled.parent !== undefined && isGivenUp(before)) return undefined;
  return getApplication(deps.store, request.organisation, before.parent);
}

function declaredBy(parent: Application): string {
  const when = bringsBack(parent) ? 'at once' : 'with its next sync';
  return `it is declared by application ${parent.id}, which brings back ${when} what Git says`;
}

/** Two declarations may come to one id, or two parents to one declaration: the first keeps it, or each would prune the other's objects. */
function refuseForeign(compiled: Application, before: Application | undefined, other: Application | undefined): void {
  if (before === undefined) return;
  const { kind, namespace, name } = before;
  if (kind !== compiled.kind || namespace !== compiled.namespace || name !== compiled.name) {
    throw new HawserError('conflict', `its id ${compiled.id} is that of the ${kind} ${namespace}/${name} already`, {
      hint: 'Give one of them another name.',
    });
  }
  if (compiled.parent !== undefined && other !== undefined) {
    throw new HawserError('conflict', `application ${compiled.id} is declared by ${other.id} already`, {
      data: { claim: compiled.id },
    });
  }
}

/** What of a declaration will have no effect, so that nobody relies on it. */
function withoutEffect(application: Application): string | undefined {
  const expressions = unsupportedExpressions(application.policy.ignoreDifferences);
  if (expressions.length === 0) return undefined;
  const list = expressions.map(({ expression, reason }) => `${expression} (${reason})`).join('; ');
  return `has no effect yet in spec.ignoreDifferences: ${list}`;
}

async function compile(context: DeclareContext, declared: JsonObject): Promise<Application> {
  const { request } = context;
  const clusters = await context.clusters();
  const compileContext: CompileContext = {
    homeCluster: request.homeCluster,
    defaultCluster: request.defaultCluster,
    resolveCluster: (destination) => resolveCluster(destination, request.homeCluster, clusters),
    ...(request.parent === undefined ? {} : { parent: request.parent }),
  };
  try {
    const application =
      declared['kind'] === 'Application'
        ? compileArgoApplication(declared, compileContext).application
        : compileFluxKustomization(declared, await gitRepositoryOf(context, declared), compileContext).application;
    for (const source of application.sources) {
      const repository = await context.repository(source.url);
      source.repository = repository.id;
    }
    await requirePermission(context, application, clusters);
    return application;
  } catch (error) {
    if (!(error instanceof HawserError) || error.retry === 'later') throw error;
    // A missing GitRepository may still come: such a Kustomization waits, like every child of an application.
    const waits = error.code === 'not-found';
    if (request.parent === undefined && request.keepInvalid !== true && !waits) throw error;
    return invalidApplication(declared, compileContext, messageOf(error));
  }
}

async function requirePermission(
  context: DeclareContext,
  application: Application,
  clusters: { id: string; servers: string[] }[],
): Promise<void> {
  const project = await context.project(application.project);
  if (project === undefined) {
    throw new HawserError('invalid-input', `project ${application.project} does not exist`, {
      hint: 'Apply its AppProject first.',
    });
  }
  const servers = serversOf(clusters, application.cluster);
  const violations = applicationViolations(project, application, servers);
  if (violations.length > 0) throw new HawserError('not-permitted', violations.join('; '));
}

/** All `server` values that mean a cluster, the in-cluster name included. */
export function serversOf(clusters: readonly { id: string; servers: string[] }[], cluster: string): string[] {
  return ['https://kubernetes.default.svc', ...(clusters.find((known) => known.id === cluster)?.servers ?? [])];
}

function resolveCluster(
  destination: { server?: string | undefined; name?: string | undefined },
  home: string,
  clusters: readonly { id: string; servers: string[] }[],
): string {
  const { server, name } = destination;
  if (
    name === 'in-cluster' ||
    server === 'https://kubernetes.default.svc' ||
    (server === undefined && name === undefined)
  )
    return home;
  const found = clusters.find(
    (cluster) => cluster.id === name || (server !== undefined && cluster.servers.includes(server)),
  );
  if (found) return found.id;
  throw new HawserError('invalid-input', `spec.destination: no cluster is registered for ${server ?? name ?? ''}`, {
    hint: 'See `hawser cluster list`; register it with `hawser cluster add`.',
  });
}

async function gitRepositoryOf(context: DeclareContext, declared: JsonObject): Promise<JsonObject> {
  const ref = sourceRefOf(declared);
  const inBatch = context.request.objects.find((object) => {
    const id = identity(object);
    return id.kind === 'GitRepository' && id.name === ref.name && (id.namespace || 'default') === ref.namespace;
  });
  if (inBatch) return inBatch;
  const row = await context.deps.store.get<{ declared: JsonObject }>(
    organisationKey(context.request.organisation),
    sortKeys.object('GitRepository', ref.namespace, ref.name),
  );
  if (row) return row.value.declared;
  throw new HawserError('not-found', `GitRepository ${ref.namespace}/${ref.name} does not exist`, {
    hint: 'Apply it; the Kustomization waits for it.',
  });
}

function invalidApplication(declared: JsonObject, context: CompileContext, message: string): Application {
  const { kind, namespace, name } = identity(declared);
  if (name === '') throw new HawserError('invalid-input', 'metadata.name is missing');
  const argo = kind === 'Application';
  return {
    id: argo
      ? argoApplicationId(namespace, name)
      : kustomizationId(context.homeCluster, context.defaultCluster, namespace || 'default', name),
    kind: argo ? 'Application' : 'Kustomization',
    name,
    namespace: namespace || (argo ? 'argocd' : 'default'),
    declared,
    project: 'default',
    cluster: context.homeCluster,
    destinationNamespace: '',
    sources: [],
    policy: { ...defaultPolicy },
    dependsOn: [],
    labels: {},
    invalid: message,
    ...(context.parent === undefined ? {} : { parent: context.parent }),
  };
}

/**
 * Keeps what belongs to the service rather than to the declaration: uid, times, generation, what somebody did by hand, and
 * whose child it is: who hands in a change of a child does not take it away from its parent.
 */
function carryOver(
  compiled: Application,
  before: Application | undefined,
  parent: Application | undefined,
  now: number,
): Application {
  const metadata = isJsonObject(compiled.declared['metadata']) ? compiled.declared['metadata'] : {};
  const old = isJsonObject(before?.declared['metadata']) ? before.declared['metadata'] : {};
  const sameSpec =
    before !== undefined && canonicalJson(before.declared['spec']) === canonicalJson(compiled.declared['spec']);
  const declared: JsonObject = {
    ...compiled.declared,
    metadata: {
      ...metadata,
      uid: old['uid'] ?? randomUUID(),
      creationTimestamp: old['creationTimestamp'] ?? new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
      generation: Number(old['generation'] ?? 0) + (sameSpec ? 0 : 1),
    },
  };
  // What cannot be compiled any more keeps running as it last could (its head stays).
  const kept =
    compiled.invalid !== undefined && before !== undefined ? { ...before, invalid: compiled.invalid } : compiled;
  const former = new Set([...(before?.formerClusters ?? []), ...(before === undefined ? [] : [before.cluster])]);
  former.delete(kept.cluster);
  return {
    ...kept,
    declared,
    ...(former.size === 0 ? {} : { formerClusters: [...former].sort() }),
    ...(parent === undefined ? {} : { parent: parent.id }),
    ...(before?.suspendedByHand ? { suspendedByHand: true, policy: { ...kept.policy, suspended: true } } : {}),
  };
}

async function plannedRevision(context: DeclareContext, application: string): Promise<number | undefined> {
  const partition = applicationKey(context.request.organisation, application);
  return (await context.deps.store.get<ClosureRow>(partition, sortKeys.closure))?.value.specRevision;
}

function withoutStatus(object: JsonObject): JsonObject {
  const { status: _status, ...rest } = object;
  const metadata = isJsonObject(rest['metadata']) ? { ...rest['metadata'] } : {};
  for (const field of ['managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'selfLink'])
    delete metadata[field];
  const annotations = metadata['annotations'];
  if (isJsonObject(annotations)) {
    const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...others } = annotations;
    metadata['annotations'] = others;
  }
  return { ...rest, metadata };
}
