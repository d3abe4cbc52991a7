import type { ApplicationDetail, ApplicationList, ApplicationSummary } from '#shared/messages/api.ts';
import type { Client, Query } from './client.ts';
import { exitCode, Failure, RefusedByService, refused } from './failure.ts';
import { kindNames } from './kinds.ts';
import { nearest } from './near.ts';
import { oneLine } from './output/escape.ts';

/** There is no such application. */
export class UnknownApplication extends Failure {}

/** Every application that matches, over all pages. */
export async function listApplications(client: Client, query: Query = {}): Promise<ApplicationSummary[]> {
  const items: ApplicationSummary[] = [];
  let cursor: string | undefined;
  do {
    const page: ApplicationList = await client.get('/api/v1/applications', { limit: 1000, ...query, cursor });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return items;
}

/** The application's page, or undefined where there is none of this id. */
export async function readApplication(client: Client, id: string): Promise<ApplicationDetail | undefined> {
  try {
    return await client.get<ApplicationDetail>(`/api/v1/applications/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error instanceof RefusedByService && error.status === 404) return undefined;
    throw error;
  }
}

/** The application that somebody means by an id, a name or namespace/name. Throws refused, with near matches, for none or several. */
export async function findApplication(client: Client, typed: string): Promise<ApplicationSummary> {
  const name = typed.split('/').at(-1) ?? typed;
  const found = matching(await listApplications(client, { search: name }), typed);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined) throw ambiguous(typed, found);
  throw unknown(typed, await listApplications(client));
}

/** Several at once; all of them must exist before anything is done to one. */
export async function findApplications(client: Client, typed: readonly string[]): Promise<ApplicationSummary[]> {
  const found = await Promise.all([...new Set(typed)].map((one) => findApplication(client, one)));
  return [...new Map(found.map((one) => [one.id, one])).values()];
}

/** Those that the text means: one with this id, or else all with this name, namespace/name, or a kind before it. Pure. */
export function matching(applications: readonly ApplicationSummary[], typed: string): ApplicationSummary[] {
  const byId = applications.filter(({ id }) => id === typed);
  if (byId.length > 0) return byId;
  const byName = applications.filter(({ name, namespace }) => typed === name || typed === `${namespace}/${name}`);
  if (byName.length > 0) return byName;
  const [, word = '', rest = ''] = /^([^/]+)\/(.+)$/.exec(typed) ?? [];
  const kind = kindOfWord(word);
  return kind === undefined
    ? []
    : matching(
        applications.filter((one) => one.kind === kind),
        rest,
      );
}

/** As `-o name` prints it and kubectl, argocd and flux take it: `application.argoproj.io/podinfo`, `app/podinfo`, `ks/infra`. */
function kindOfWord(word: string): ApplicationSummary['kind'] | undefined {
  const plain = word.toLowerCase().split('.', 1)[0] ?? '';
  const isOf = (kind: 'applications' | 'kustomizations') =>
    plain === kind || (kindNames[kind] as readonly string[]).includes(plain);
  if (isOf('applications')) return 'Application';
  return isOf('kustomizations') ? 'Kustomization' : undefined;
}

function ambiguous(typed: string, found: readonly ApplicationSummary[]): Failure {
  const choices = found.map(({ id, kind, namespace, name }) => `${id} (${kind} ${namespace}/${name})`);
  return refused(
    `${found.length} applications are called ${JSON.stringify(typed)}`,
    `Use an id: ${oneLine(choices.slice(0, 5).join(', '))}.`,
  );
}

function unknown(typed: string, all: readonly ApplicationSummary[]): Failure {
  const names = all.flatMap(({ id, name }) => [id, name]);
  const near = nearest(typed.split('/').at(-1) ?? typed, names);
  const hint =
    near.length > 0
      ? `Did you mean ${near.map(oneLine).join(' or ')}?`
      : all.length === 0
        ? 'There are none yet: `hawser apply -f FILE` registers yours.'
        : 'See `hawser get applications`.';
  return new UnknownApplication(exitCode.refused, `there is no application ${JSON.stringify(typed)}`, hint);
}
