import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { HawserError } from '#shared/errors.ts';
import { isJsonObject, type JsonObject } from '#shared/domain/json.ts';
import { ApplyBody, ApplyResult } from '#shared/messages/api-changes.ts';
import { bringBack } from '#shared/state/bring-back.ts';
import type { DeclareItem } from '#shared/state/declare-context.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { getApplications, getCluster, listProjects } from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';
import { requireAdmin, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { gitRepositoryObject, objectOf } from '../objects.ts';
import { checked, describe } from '../openapi.ts';

/** Plural, singular and short names that people type, by kind. */
const kinds: Record<string, readonly string[]> = {
  Application: ['applications', 'application', 'app', 'apps'],
  Kustomization: ['kustomizations', 'kustomization', 'ks'],
  GitRepository: ['gitrepositories', 'gitrepository', 'gitrepo'],
  AppProject: ['appprojects', 'appproject', 'appproj', 'projects', 'project'],
};

/** Objects as people have them: hand them in, get them back with their status. */
export function objectRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.post('/', describe('register Argo CD and Flux objects', ApplyResult), checked('json', ApplyBody), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const body = c.req.valid('json');
    const defaultCluster = await deps.defaultCluster(organisation);
    const homeCluster = body.cluster ?? defaultCluster;
    if ((await getCluster(deps.store, organisation, homeCluster)) === undefined) {
      throw new HawserError('not-found', `cluster ${homeCluster} is not registered`, {
        hint: 'See `hawser cluster list`.',
      });
    }
    const items = await declareObjects(deps, {
      organisation,
      objects: body.objects as JsonObject[],
      homeCluster,
      defaultCluster,
      by: user,
      trace: randomUUID(),
      ...(body.dryRun ? { dryRun: true } : {}),
    });
    if (!body.dryRun) await restoreParents(deps, organisation, items, user);
    return c.json({ items });
  });
  app.get('/:kind', describe('declared objects of a kind, with status'), async (c) => {
    const { organisation } = requireUser(c);
    const namespace = c.req.query('namespace');
    const objects = await listObjects(deps, organisation, kindOf(c.req.param('kind')));
    return c.json({
      items:
        namespace === undefined ? objects : objects.filter((object) => metadataOf(object)['namespace'] === namespace),
    });
  });
  app.get('/:kind/:namespace/:name', describe('one declared object, with status'), async (c) => {
    const { organisation } = requireUser(c);
    const { kind, namespace, name } = c.req.param();
    const found = (await listObjects(deps, organisation, kindOf(kind), name)).find((object) => {
      const metadata = metadataOf(object);
      return metadata['name'] === name && (namespace === '-' || (metadata['namespace'] ?? '') === namespace);
    });
    if (found === undefined) throw new HawserError('not-found', `there is no ${kindOf(kind)} ${namespace}/${name}`);
    return c.json(found);
  });
  return app;
}

/** What was handed in may be what an application declares: it brings back what Git says, as with every other object. */
async function restoreParents(
  deps: ApiDeps,
  organisation: string,
  items: readonly DeclareItem[],
  user: string,
): Promise<void> {
  const changed = items.flatMap((item) =>
    item.action === 'configured' && item.application !== undefined ? [item.application] : [],
  );
  const children = await getApplications(deps.store, organisation, changed);
  const oneEach = new Map(children.flatMap((child) => (child.parent === undefined ? [] : [[child.parent, child]])));
  for (const child of oneEach.values())
    await bringBack(deps, organisation, child, { message: `it was changed by ${user}`, trace: randomUUID() });
}

async function listObjects(deps: ApiDeps, organisation: string, kind: string, name?: string): Promise<JsonObject[]> {
  if (kind === 'AppProject') return (await listProjects(deps.store, organisation)).map((project) => project.declared);
  const partition = organisationKey(organisation);
  if (kind === 'GitRepository') {
    const declared: JsonObject[] = [];
    for await (const row of eachRow<{ declared: JsonObject }>(deps.store, partition, `OBJECT#${kind}#`))
      declared.push(row.value.declared);
    return Promise.all(declared.map((object) => gitRepositoryObject(deps, organisation, object)));
  }
  const ids: string[] = [];
  for await (const row of eachRow<StoredSummary>(deps.store, partition, 'APP#')) {
    if (row.value.kind === kind && (name === undefined || row.value.name === name)) ids.push(row.value.id);
  }
  const applications = await getApplications(deps.store, organisation, ids);
  applications.sort((a, b) => (a.id < b.id ? -1 : 1));
  return Promise.all(applications.map((application) => objectOf(deps, organisation, application)));
}

function kindOf(text: string): string {
  const wanted = text.toLowerCase();
  const found = Object.entries(kinds).find(([, names]) => names.includes(wanted));
  if (found) return found[0];
  throw new HawserError('not-found', `there is no kind ${JSON.stringify(text.slice(0, 60))} here`, {
    hint: `Kinds: ${Object.values(kinds)
      .map((names) => names[0])
      .join(', ')}.`,
  });
}

function metadataOf(object: JsonObject): JsonObject {
  return isJsonObject(object['metadata']) ? object['metadata'] : {};
}
