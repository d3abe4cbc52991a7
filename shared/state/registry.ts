import { randomBytes } from 'node:crypto';
import { HawserError } from '../errors.ts';
import type { Application } from '../domain/application.ts';
import type { Cluster } from '../domain/cluster.ts';
import { sha256 } from '../domain/digest.ts';
import { toId } from '../domain/ids.ts';
import type { Project } from '../domain/project.ts';
import type { CredentialKind } from '../domain/repository-credentials.ts';
import { codecommitHttps, scpParts } from '../domain/repository-url.ts';
import type { Clock } from '../ports/clock.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { Row, StateStore } from '../ports/state-store.ts';
import { applicationKey, organisationKey, sortKeys } from './keys.ts';
import { eachRow } from './update.ts';

/** A repository that applications read: the row `REPOSITORY#id`. Credentials and webhook secret lie in the secret store. */
export interface Repository {
  id: string;
  url: string;
  registeredAt: string;
  hasCredentials: boolean;
  /** Absent for what was stored before there were kinds. */
  credentialKind?: CredentialKind;
  /** Which secret holds them, below `ORGANISATION/repository/`; absent: the repository's own. */
  credentialSecret?: string;
  /** Last trouble with reaching it, for people. */
  error?: string;
  lastRevision?: string;
  lastSeenAt?: string;
}

/**
 * Two URLs that mean the same repository give the same text: no scheme, user, `.git`, trailing slash, usual port; host in
 * lower case. `git@host:path` and `codecommit::REGION://NAME` are those of the addresses that they stand for.
 */
export function normaliseRepositoryUrl(url: string): string {
  const scp = scpParts(url);
  const text = scp === undefined ? (codecommitHttps(url) ?? url) : `ssh://${scp.host}/${scp.path.replace(/^\/+/, '')}`;
  try {
    const parsed = new URL(text);
    const host = parsed.host.toLowerCase().replace(parsed.protocol === 'ssh:' ? /:22$/ : /$^/, '');
    return `${host}${parsed.pathname.replace(/\/+$/, '').replace(/\.git$/, '')}`;
  } catch {
    throw new HawserError('invalid-input', `repository URL ${JSON.stringify(url.slice(0, 200))} cannot be read`, {
      hint: 'Use https://host/path.git or git@host:path.git.',
    });
  }
}

/** Name of the secret with which a repository's webhooks are signed. */
export function webhookSecretName(organisation: string, repository: string): string {
  return `${organisation}/webhook/${repository}`;
}

/** Name of what the one before is kept under while a secret is rotated (`webhook-secrets.ts`). */
export function previousWebhookSecretName(organisation: string, repository: string): string {
  return `${webhookSecretName(organisation, repository)}/previous`;
}

/** True for names of these two. */
export function isWebhookSecretName(name: string): boolean {
  return name.split('/')[1] === 'webhook';
}

/** Name of a secret that opens repositories; `repository` is an id, or what `credentialSecret` of a row says. */
export function credentialsName(organisation: string, repository: string): string {
  return `${organisation}/repository/${repository}`;
}

/** Finds the repository of a URL, or registers it under a readable id; idempotent and safe against racing registrations. */
export async function ensureRepository(
  deps: { store: StateStore; secrets: SecretStore; clock: Clock; webhookSecret?: string },
  organisation: string,
  url: string,
): Promise<Repository> {
  refuseCredentials(url);
  const normalised = normaliseRepositoryUrl(url);
  const partition = organisationKey(organisation);
  const urlRow = sortKeys.repositoryUrl(sha256(normalised).slice(0, 32));
  const known = await deps.store.get<{ id: string }>(partition, urlRow);
  if (known) {
    const row = await deps.store.get<Repository>(partition, sortKeys.repository(known.value.id));
    if (row) return row.value;
  }
  const base = toId(normalised.split('/').at(-1) ?? normalised);
  const candidates = [known?.value.id ?? base, `${base.slice(0, 52)}-${sha256(normalised).slice(0, 8)}`];
  for (const id of candidates) {
    const repository: Repository = {
      id,
      url,
      registeredAt: new Date(deps.clock.now()).toISOString(),
      hasCredentials: false,
    };
    const created = await deps.store.put(
      { partition, sort: sortKeys.repository(id), revision: 1, value: repository },
      { absent: true },
    );
    const existing = created ? undefined : await deps.store.get<Repository>(partition, sortKeys.repository(id));
    if (!created && (existing === undefined || normaliseRepositoryUrl(existing.value.url) !== normalised)) continue;
    const secret = webhookSecretName(organisation, id);
    if ((await deps.secrets.get(secret)) === undefined) {
      await deps.secrets.put(secret, deps.webhookSecret ?? randomBytes(32).toString('hex'));
    }
    await deps.store.put({ partition, sort: urlRow, revision: 1, value: { id } });
    return existing?.value ?? repository;
  }
  throw new HawserError('conflict', `no free id for repository ${url}`);
}

/** URLs are shown and logged; credentials in one would be, too (NT-26, NT-93). A user of ssh is none. */
function refuseCredentials(url: string): void {
  if (!URL.canParse(url)) return;
  const { protocol, username, password } = new URL(url);
  if (password === '' && (username === '' || protocol === 'ssh:')) return;
  throw new HawserError('invalid-input', 'a repository URL must not hold credentials', {
    hint: 'Take them out of the URL and store them with `hawser repo add`.',
  });
}

export async function getRepository(
  store: StateStore,
  organisation: string,
  id: string,
): Promise<Repository | undefined> {
  return (await store.get<Repository>(organisationKey(organisation), sortKeys.repository(id)))?.value;
}

export async function listRepositories(store: StateStore, organisation: string): Promise<Repository[]> {
  return collect(eachRow<Repository>(store, organisationKey(organisation), 'REPOSITORY#'));
}

/** Forgets a repository with its secrets; refused by the API while applications read it. */
export async function removeRepository(
  deps: { store: StateStore; secrets: SecretStore },
  organisation: string,
  repository: Repository,
): Promise<void> {
  const partition = organisationKey(organisation);
  await deps.secrets.remove(credentialsName(organisation, repository.id));
  await deps.secrets.remove(webhookSecretName(organisation, repository.id));
  await deps.secrets.remove(previousWebhookSecretName(organisation, repository.id));
  const url = sha256(normaliseRepositoryUrl(repository.url)).slice(0, 32);
  await deps.store.remove(partition, sortKeys.repositoryUrl(url));
  await deps.store.remove(partition, sortKeys.repository(repository.id));
}

export async function getCluster(store: StateStore, organisation: string, id: string): Promise<Cluster | undefined> {
  return (await store.get<Cluster>(organisationKey(organisation), sortKeys.cluster(id)))?.value;
}

export async function listClusters(store: StateStore, organisation: string): Promise<Cluster[]> {
  return collect(eachRow<Cluster>(store, organisationKey(organisation), 'CLUSTER#'));
}

export async function getProject(store: StateStore, organisation: string, name: string): Promise<Project | undefined> {
  return (await store.get<Project>(organisationKey(organisation), sortKeys.project(name)))?.value;
}

export async function listProjects(store: StateStore, organisation: string): Promise<Project[]> {
  return collect(eachRow<Project>(store, organisationKey(organisation), 'PROJECT#'));
}

export async function getApplication(
  store: StateStore,
  organisation: string,
  id: string,
): Promise<Application | undefined> {
  return (await store.get<Application>(applicationKey(organisation, id), sortKeys.spec))?.value;
}

/** The row of a spec: its revision changes with every declaration and with what people do by hand. */
export async function getApplicationRow(
  store: StateStore,
  organisation: string,
  id: string,
): Promise<Row<Application> | undefined> {
  return store.get<Application>(applicationKey(organisation, id), sortKeys.spec);
}

/** Many specs at once; unknown ids are missing from the result. */
export async function getApplications(
  store: StateStore,
  organisation: string,
  ids: readonly string[],
): Promise<Application[]> {
  const rows = await store.getMany<Application>(
    ids.map((id) => ({ partition: applicationKey(organisation, id), sort: sortKeys.spec })),
  );
  return rows.map((row) => row.value);
}

async function collect<T>(rows: AsyncIterable<{ value: T }>): Promise<T[]> {
  const values: T[] = [];
  for await (const row of rows) values.push(row.value);
  return values;
}
