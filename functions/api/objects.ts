import type { Application } from '#shared/domain/application.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { initialStatus, readStatus } from '#shared/state/status.ts';
import { repositoryKey } from '#shared/state/keys.ts';
import { listRepositories, normaliseRepositoryUrl } from '#shared/state/registry.ts';
import { isoNow, type ApiDeps } from './context.ts';
import { readHistory } from './history.ts';
import { argoStatus } from './shapes/argo-status.ts';
import { gitRepositoryStatus, kustomizationStatus } from './shapes/flux-status.ts';
import { conditionsOf, readOverlay, readSummariesOf, summaryOf } from './views.ts';

/** An application's object as it was declared, with `status` in the shape of its own kind (design: what users touch). */
export async function objectOf(deps: ApiDeps, organisation: string, application: Application): Promise<JsonObject> {
  const [status, summaries, overlay, history] = await Promise.all([
    readStatus(deps.store, organisation, application.id),
    readSummariesOf(deps, organisation, [application.id]),
    readOverlay(deps, organisation),
    readHistory(deps.store, organisation, application),
  ]);
  const known = status ?? initialStatus(isoNow(deps));
  const conditions = conditionsOf(application, known, overlay);
  const listed = summaries[0];
  if (application.kind === 'Kustomization') {
    return {
      ...application.declared,
      status: kustomizationStatus(application, known, conditions, history, listed?.stale ?? false),
    };
  }
  if (listed === undefined) return application.declared;
  const summary = summaryOf(application, known, listed, overlay);
  return { ...application.declared, status: argoStatus(application, known, summary, conditions, history) };
}

/** A GitRepository with its status. */
export async function gitRepositoryObject(
  deps: ApiDeps,
  organisation: string,
  declared: JsonObject,
): Promise<JsonObject> {
  const spec = (declared['spec'] ?? {}) as {
    url?: string;
    ref?: { branch?: string; tag?: string; commit?: string; name?: string; semver?: string };
  };
  const url = normaliseRepositoryUrl(spec.url ?? '');
  const repository = (await listRepositories(deps.store, organisation)).find(
    (one) => normaliseRepositoryUrl(one.url) === url,
  );
  if (repository === undefined) return { ...declared, status: gitRepositoryStatus(declared, undefined) };
  const { rows } = await deps.store.query<{
    selector: string;
    commit: string;
    seenAt: string;
    error?: { code: string; message: string; since: string };
  }>(repositoryKey(organisation, repository.id), { prefix: 'HEADREF#', limit: 500 });
  const ref = spec.ref;
  const selector =
    ref?.commit ??
    ref?.name ??
    ref?.semver ??
    (ref?.tag ? `refs/tags/${ref.tag}` : `refs/heads/${ref?.branch ?? 'master'}`);
  return {
    ...declared,
    status: gitRepositoryStatus(declared, rows.find((row) => row.value.selector === selector)?.value),
  };
}
