import { HawserError, messageOf } from '../errors.ts';
import { compileAppProject } from '../domain/compile/app-project.ts';
import { declaredRole, handedInRole, type DeclaredRole } from '../domain/declared-kinds.ts';
import type { JsonObject } from '../domain/json.ts';
import { inParallel } from '../domain/parallel.ts';
import {
  createLookups,
  identity,
  type DeclareContext,
  type DeclareDeps,
  type DeclareItem,
  type DeclareRequest,
} from './declare-context.ts';
import { declareApplication } from './declare-application.ts';
import { declareCredentials, linkGitRepository } from './declare-credentials.ts';
import { declareInvalid, declareMembers, declareReaders } from './declare-dependents.ts';
import { keepAndTell, keepObject } from './declare-row.ts';
import { sendHints, sendRefresh } from './hints.ts';
import { sortKeys } from './keys.ts';
import { hostsKey } from './repository-access.ts';

type Role = DeclaredRole | 'credentials' | 'hosts';

/**
 * Registers what people have: any mix of Argo CD and Flux objects, in any order, as often as wanted.
 * An object that cannot be is refused by itself; the others are registered. Plans are asked for once all is written.
 */
export async function declareObjects(deps: DeclareDeps, request: DeclareRequest): Promise<DeclareItem[]> {
  const results = new Map<JsonObject, DeclareItem>();
  await inOneGo(deps, request, async (context) => {
    for (const role of roles) {
      const objects = request.objects.filter((object) => roleOf(request, object) === role);
      await inParallel(objects, 32, async (object) => {
        results.set(object, await declareOne(context, role, object));
      });
    }
  });
  return request.objects.map((object) => results.get(object) ?? refused(object, notDeclarable(object)));
}

/** Has what could not be so far tried again, after something came that it may have waited for: a cluster. */
export async function declareWaiting(deps: DeclareDeps, request: Omit<DeclareRequest, 'objects'>): Promise<void> {
  await inOneGo(deps, { ...request, objects: [] }, declareInvalid);
}

/** What others refer to comes first. */
const roles = ['unsupported', 'settings', 'hosts', 'project', 'source', 'credentials', 'application'] as const;

/** Writes first, then asks for plans, then marks as done: cut off at any point, all of it can be done again. */
async function inOneGo(
  deps: DeclareDeps,
  request: DeclareRequest,
  write: (context: DeclareContext) => Promise<void>,
): Promise<void> {
  const toPlan = new Map<string, Set<string>>();
  const toRead = new Set<string>();
  const toSettle: (() => Promise<unknown>)[] = [];
  await write({
    deps,
    request,
    ...createLookups(deps, request),
    plan: (repository, application) => add(toPlan, repository, application),
    refresh: (repository) => void toRead.add(repository),
    settle: (mark) => void toSettle.push(mark),
  });
  if (request.dryRun) return;
  await sendHints(deps, request, toPlan);
  await sendRefresh(
    deps,
    request,
    [...toRead].filter((repository) => !toPlan.has(repository)),
  );
  await Promise.all(toSettle.map((mark) => mark()));
}

async function declareOne(context: DeclareContext, role: Role, object: JsonObject): Promise<DeclareItem> {
  try {
    if (role === 'application') return await declareApplication(context, object);
    if (role === 'project') {
      const kept = { sort: sortKeys.project(nameOf(object)), value: compileAppProject(object) };
      return await keepAndTell(context, object, kept, () => declareMembers(context, nameOf(object)));
    }
    if (role === 'source') {
      const kept = { sort: objectSort(object), value: { declared: object } };
      const item = await keepAndTell(context, object, kept, () => declareReaders(context, object));
      const message = await linkGitRepository(context, object);
      return message === undefined ? item : { ...item, message };
    }
    if (role === 'hosts') return await keepObject(context, object, hostsKey(object));
    if (role === 'credentials') return await declareCredentials(context, object);
    if (role === 'settings') {
      return { ...(await keepObject(context, object, objectSort(object))), message: 'kept, but has no effect yet' };
    }
    return refused(object, `${identity(object).kind} is not supported yet`);
  } catch (error) {
    // Only what is wrong with the object itself refuses it; trouble of our own must be seen, and tried again.
    if (!(error instanceof HawserError) || error.retry === 'later') throw error;
    const item = refused(object, messageOf(error));
    const claimed = error.data['claim'];
    return typeof claimed === 'string' ? { ...item, application: claimed } : item;
  }
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
