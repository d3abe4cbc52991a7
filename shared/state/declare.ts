import { HawserError, messageOf } from '../errors.ts';
import { compileAppProject } from '../domain/compile/app-project.ts';
import { declaredRole, handedInRole, type DeclaredRole } from '../domain/declared-kinds.ts';
import { canonicalJson, type JsonObject } from '../domain/json.ts';
import { inParallel } from '../domain/parallel.ts';
import {
  createLookups,
  identity,
  type DeclareContext,
  type DeclareDeps,
  type DeclareItem,
  type DeclareRequest,
} from './declare-context.ts';
import { declareApplication, recompileReaders } from './declare-application.ts';
import { declareCredentials, linkGitRepository } from './declare-credentials.ts';
import { sendHints, sendRefresh } from './hints.ts';
import { organisationKey, sortKeys } from './keys.ts';
import { getApplications } from './registry.ts';
import { hostsKey } from './repository-access.ts';
import type { StoredSummary } from './status.ts';
import { eachRow } from './update.ts';

type Role = DeclaredRole | 'credentials' | 'hosts';

/**
 * Registers what people have: any mix of Argo CD and Flux objects, in any order, as often as wanted.
 * An object that cannot be is refused by itself; the others are registered. Plans are asked for once all is written.
 */
export async function declareObjects(deps: DeclareDeps, request: DeclareRequest): Promise<DeclareItem[]> {
  const results = new Map<JsonObject, DeclareItem>();
  const toPlan = new Map<string, Set<string>>();
  const toRead = new Set<string>();
  const context: DeclareContext = {
    deps,
    request,
    ...createLookups(deps, request),
    plan: (repository: string, application: string) => add(toPlan, repository, application),
    refresh: (repository: string) => void toRead.add(repository),
  };
  for (const role of ['unsupported', 'settings', 'hosts', 'project', 'source', 'credentials', 'application'] as const) {
    const objects = request.objects.filter((object) => roleOf(request, object) === role);
    await inParallel(objects, 32, async (object) => {
      results.set(object, await declareOne(context, role, object));
    });
  }
  if (!request.dryRun) {
    await sendHints(deps, request, toPlan);
    await sendRefresh(
      deps,
      request,
      [...toRead].filter((repository) => !toPlan.has(repository)),
    );
  }
  return request.objects.map((object) => results.get(object) ?? refused(object, notDeclarable(object)));
}

async function declareOne(context: DeclareContext, role: Role, object: JsonObject): Promise<DeclareItem> {
  try {
    if (role === 'application') return await declareApplication(context, object);
    if (role === 'project') {
      const item = await putRow(context, object, sortKeys.project(nameOf(object)), compileAppProject(object));
      if (item.action === 'configured' && !context.request.dryRun) await planMembers(context, nameOf(object));
      return item;
    }
    if (role === 'source') {
      const item = await putRow(context, object, objectSort(object), { declared: object });
      if (item.action !== 'unchanged' && !context.request.dryRun) await recompileReaders(context, object);
      const message = await linkGitRepository(context, object);
      return message === undefined ? item : { ...item, message };
    }
    if (role === 'hosts') return await putRow(context, object, hostsKey(object), { declared: object });
    if (role === 'credentials') return await declareCredentials(context, object);
    if (role === 'settings') {
      const item = await putRow(context, object, objectSort(object), { declared: object });
      return { ...item, message: 'kept, but has no effect yet' };
    }
    return refused(object, `${identity(object).kind} is not supported yet`);
  } catch (error) {
    // Only what is wrong with the object itself refuses it; trouble of our own must be seen, and tried again.
    if (!(error instanceof HawserError) || error.retry === 'later') throw error;
    return refused(object, messageOf(error));
  }
}

/** Another fence: what lies behind it is held against it anew, not only with the next push (NT-160). */
async function planMembers(context: DeclareContext, project: string): Promise<void> {
  const { deps, request } = context;
  const ids: string[] = [];
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(request.organisation), 'APP#')) {
    if (row.value.project === project) ids.push(row.value.id);
  }
  for (const application of await getApplications(deps.store, request.organisation, ids)) {
    for (const source of application.sources) context.plan(source.repository, application.id);
  }
}

async function putRow(
  context: DeclareContext,
  object: JsonObject,
  sort: string,
  value: { declared: JsonObject },
): Promise<DeclareItem> {
  const partition = organisationKey(context.request.organisation);
  const before = await context.deps.store.get<{ declared: JsonObject }>(partition, sort);
  const same = before !== undefined && canonicalJson(before.value.declared) === canonicalJson(value.declared);
  const action = before === undefined ? 'created' : same ? 'unchanged' : 'configured';
  if (action !== 'unchanged' && !context.request.dryRun) {
    await context.deps.store.putMany([{ partition, sort, revision: (before?.revision ?? 0) + 1, value }]);
  }
  return { ...identity(object), action };
}

/** Key of a declared object that is not an application. */
export function objectSort(object: JsonObject): string {
  const { kind, namespace, name } = identity(object);
  return sortKeys.object(kind, namespace, name);
}

export function refused(object: JsonObject, message: string): DeclareItem {
  return { ...identity(object), action: 'refused', message };
}

function nameOf(object: JsonObject): string {
  const { name } = identity(object);
  if (name === '') throw new HawserError('invalid-input', 'metadata.name is missing');
  return name;
}

function roleOf(request: DeclareRequest, object: JsonObject): Role | undefined {
  return request.parent === undefined ? handedInRole(object) : declaredRole(object);
}

function notDeclarable(object: JsonObject): string {
  if (typeof object['kind'] !== 'string' || typeof object['apiVersion'] !== 'string')
    return 'apiVersion or kind is missing';
  return `${object['apiVersion']} ${object['kind']} is not an Argo CD or Flux object; put it into a repository that an application reads`;
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key) ?? new Set();
  set.add(value);
  map.set(key, set);
}
