import { sourceRefOf } from '../domain/compile/flux-kustomization.ts';
import type { Application } from '../domain/application.ts';
import { isJsonObject, type JsonObject } from '../domain/json.ts';
import { inParallel } from '../domain/parallel.ts';
import { declareApplication } from './declare-application.ts';
import { createLookups, identity, type DeclareContext } from './declare-context.ts';
import { organisationKey } from './keys.ts';
import { getApplication, getApplications } from './registry.ts';
import type { StoredSummary } from './status.ts';
import { eachRow } from './update.ts';

/** After a GitRepository changed: declares the Kustomizations that read it again. */
export async function declareReaders(context: DeclareContext, gitRepository: JsonObject): Promise<void> {
  const { namespace, name } = identity(gitRepository);
  const mayRead = ({ kind }: StoredSummary) => kind === 'Kustomization';
  await eachApplication(context, mayRead, async (application) => {
    const ref = sourceRefOf(application.declared);
    if (ref.namespace === (namespace || 'default') && ref.name === name) await declareAgain(context, application);
  });
}

/** Another fence: what lies behind it is held against it anew, not only with the next push (NT-160); what waited for it comes in. */
export async function declareMembers(context: DeclareContext, project: string): Promise<void> {
  const mayBelong = (summary: StoredSummary) => summary.invalid === true || summary.project === project;
  await eachApplication(context, mayBelong, async (application) => {
    if (application.invalid !== undefined && projectOf(application.declared) === project)
      await declareAgain(context, application);
    else if (application.project === project)
      for (const source of application.sources) context.plan(source.repository, application.id);
  });
}

/** Declares again what could not be so far: the cluster that it names may be there by now. */
export async function declareInvalid(context: DeclareContext): Promise<void> {
  const isInvalid = ({ invalid }: StoredSummary) => invalid === true;
  await eachApplication(context, isInvalid, async (application) => {
    if (application.invalid !== undefined) await declareAgain(context, application);
  });
}

async function eachApplication(
  { deps, request }: DeclareContext,
  concerns: (summary: StoredSummary) => boolean,
  act: (application: Application) => Promise<void>,
): Promise<void> {
  let ids: string[] = [];
  const flush = async () => {
    const page = await getApplications(deps.store, request.organisation, ids);
    ids = [];
    // To declare one that is being deleted would take its deletion back.
    await inParallel(page, 8, async (application) => {
      if (application.deleting === undefined) await act(application);
    });
  };
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(request.organisation), 'APP#')) {
    if (concerns(row.value)) ids.push(row.value.id);
    if (ids.length === 100) await flush();
  }
  await flush();
}

/** As whoever declared it did: the cluster it calls its own is that of its parent, for Flux the one it lies in. */
async function declareAgain(context: DeclareContext, { kind, cluster, parent, declared }: Application): Promise<void> {
  const { deps, request } = context;
  const { parent: _parent, ...rest } = request;
  const above = parent === undefined ? undefined : await getApplication(deps.store, request.organisation, parent);
  const homeCluster = kind === 'Kustomization' ? cluster : (above?.cluster ?? request.defaultCluster);
  const own = { ...rest, homeCluster, keepInvalid: true as const, ...(parent === undefined ? {} : { parent }) };
  await declareApplication({ ...context, request: own, ...createLookups(deps, own) }, declared);
}

function projectOf(declared: JsonObject): string {
  const spec = isJsonObject(declared['spec']) ? declared['spec'] : {};
  return typeof spec['project'] === 'string' ? spec['project'] : 'default';
}
