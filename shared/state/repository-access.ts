import { HawserError } from '../errors.ts';
import {
  parseStoredAccess,
  type CredentialKind,
  type RepositoryCredentials,
  type StoredAccess,
} from '../domain/repository-credentials.ts';
import { codecommitHttps, credentialsMisfit, isSshUrl, scpParts } from '../domain/repository-url.ts';
import type { RepositoryAccess } from '../ports/git-source.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { StateStore } from '../ports/state-store.ts';
import { organisationKey, sortKeys } from './keys.ts';
import { credentialsName, type Repository } from './registry.ts';
import { eachRow, updateRow } from './update.ts';

/** Where credentials lie: the secret is below `ORGANISATION/repository/`, and absent where there is nothing to keep. */
export interface CredentialSource {
  kind?: CredentialKind;
  secret?: string;
}

/** Credentials for repositories whose URL starts with `url` and that have none of their own: the row `REPOSITORYTEMPLATE#id`. */
export interface CredentialTemplate extends CredentialSource {
  id: string;
  url: string;
}

interface Deps {
  store: StateStore;
  secrets: SecretStore;
}

/** Argo CD's ConfigMaps of what is known of hosts; both are public. */
const sshHosts = 'argocd-ssh-known-hosts-cm';
const tlsCertificates = 'argocd-tls-certs-cm';

/**
 * How the Git adapter may reach a repository, credentials included; never log the result. Its own credentials, or those of
 * the template with the longest prefix (as Argo CD's `repo-creds`), and what the organisation knows of the host.
 */
export async function repositoryAccess(
  deps: Deps,
  organisation: string,
  repository: Repository,
): Promise<RepositoryAccess> {
  const { id, url } = repository;
  const source = await credentialSourceOf(deps.store, organisation, repository);
  const stored = source === undefined ? {} : await readStored(deps.secrets, organisation, source);
  const access: RepositoryAccess = { organisation, repository: id, url };
  if (stored.credentials !== undefined) access.credentials = stored.credentials;
  if (isSshUrl(url)) {
    const keys = (await readHosts(deps.store, organisation, sshHosts))['ssh_known_hosts'];
    if (keys !== undefined) access.knownHosts = keys;
  } else {
    const ca = stored.ca ?? (await readHosts(deps.store, organisation, tlsCertificates))[hostnameOf(url)];
    if (ca !== undefined) access.ca = ca;
  }
  return access;
}

/** Which credentials open a repository; undefined where none do. */
export async function credentialSourceOf(
  store: StateStore,
  organisation: string,
  repository: Repository,
): Promise<CredentialSource | undefined> {
  if (!repository.hasCredentials) return templateFor(await listTemplates(store, organisation), repository.url);
  const { credentialKind: kind, credentialSecret, id } = repository;
  if (kind === 'codecommit') return { kind };
  return { ...(kind === undefined ? {} : { kind }), secret: credentialSecret ?? id };
}

/**
 * The template with the longest URL that the repository's starts with. Scheme, host and port must be the same: a prefix
 * alone would send the credentials of `https://git.example` to `https://git.example.evil.test` (NT-26).
 */
export function templateFor(templates: readonly CredentialTemplate[], url: string): CredentialTemplate | undefined {
  const wanted = partsOf(url);
  return templates
    .filter((template) => {
      const { origin, path } = partsOf(template.url);
      return origin === wanted.origin && wanted.path.startsWith(path);
    })
    .toSorted((a, b) => partsOf(b.url).path.length - partsOf(a.url).path.length || (a.id < b.id ? -1 : 1))[0];
}

export async function listTemplates(store: StateStore, organisation: string): Promise<CredentialTemplate[]> {
  const templates: CredentialTemplate[] = [];
  for await (const row of eachRow<CredentialTemplate>(store, organisationKey(organisation), 'REPOSITORYTEMPLATE#'))
    templates.push(row.value);
  return templates;
}

/** Stores what opens a repository as its own; it is read only by `repositoryAccess`. From then on it is read at `url`. */
export async function putCredentials(
  deps: Deps,
  organisation: string,
  repository: Pick<Repository, 'id' | 'url'>,
  stored: StoredAccess,
): Promise<void> {
  const kind = stored.credentials?.kind;
  refuseMisfit(repository.url, stored.credentials);
  if (kind !== 'codecommit') await writeStored(deps.secrets, organisation, repository.id, stored);
  await linkCredentials(deps.store, organisation, repository, kind === undefined ? {} : { kind });
}

/** Notes on a repository's row which credentials open it. */
export async function linkCredentials(
  store: StateStore,
  organisation: string,
  { id, url }: Pick<Repository, 'id' | 'url'>,
  { kind, secret }: CredentialSource,
): Promise<void> {
  await updateRow<Repository>(store, organisationKey(organisation), sortKeys.repository(id), (row) => {
    if (row === undefined) return undefined;
    const { credentialKind: _kind, credentialSecret: _secret, ...rest } = row;
    return {
      ...rest,
      url,
      hasCredentials: true,
      ...(kind === undefined ? {} : { credentialKind: kind }),
      ...(secret === undefined ? {} : { credentialSecret: secret }),
    };
  });
}

/** Stores credentials for all repositories whose URL starts with `url`. */
export async function putTemplate(
  deps: Deps,
  organisation: string,
  { id, url }: { id: string; url: string },
  stored: StoredAccess,
): Promise<void> {
  const kind = stored.credentials?.kind;
  const secret = `template.${id}`;
  if (kind !== 'codecommit') await writeStored(deps.secrets, organisation, secret, stored);
  const value: CredentialTemplate = {
    id,
    url,
    ...(kind === undefined ? {} : { kind }),
    ...(kind === 'codecommit' ? {} : { secret }),
  };
  await updateRow<CredentialTemplate>(
    deps.store,
    organisationKey(organisation),
    sortKeys.repositoryTemplate(id),
    () => value,
  );
}

/** False where there is none of this id. */
export async function removeTemplate(deps: Deps, organisation: string, id: string): Promise<boolean> {
  const key = [organisationKey(organisation), sortKeys.repositoryTemplate(id)] as const;
  const row = await deps.store.get<CredentialTemplate>(...key);
  if (row === undefined) return false;
  if (row.value.secret !== undefined) await deps.secrets.remove(credentialsName(organisation, row.value.secret));
  await deps.store.remove(...key);
  return true;
}

/** Writes a secret below `ORGANISATION/repository/`. */
export async function writeStored(
  secrets: SecretStore,
  organisation: string,
  secret: string,
  stored: StoredAccess,
): Promise<void> {
  await secrets.put(credentialsName(organisation, secret), JSON.stringify(stored));
}

/** Credentials that could never be used are refused when they come, not with the next push. */
export function refuseMisfit(url: string, credentials: RepositoryCredentials | undefined): void {
  const misfit = credentials === undefined ? undefined : credentialsMisfit(url, credentials.kind);
  if (misfit !== undefined) throw new HawserError('invalid-input', misfit);
}

async function readStored(
  secrets: SecretStore,
  organisation: string,
  { kind, secret }: CredentialSource,
): Promise<StoredAccess> {
  if (kind === 'codecommit') return { credentials: { kind } };
  const found = secret === undefined ? undefined : await secrets.get(credentialsName(organisation, secret));
  return found === undefined ? {} : parseStoredAccess(found.value);
}

/** Where a ConfigMap about hosts is kept: one of a name for the organisation, whatever its namespace. */
export function hostsKey(object: { metadata?: unknown }): string {
  const { name } = (object.metadata ?? {}) as { name?: unknown };
  return sortKeys.object('ConfigMap', '', String(name));
}

async function readHosts(store: StateStore, organisation: string, name: string): Promise<Record<string, string>> {
  const row = await store.get<{ declared: { data?: Record<string, string> } }>(
    organisationKey(organisation),
    hostsKey({ metadata: { name } }),
  );
  return row?.value.declared.data ?? {};
}

/** Scheme, host and port of a repository's URL: what its credentials are bound to. */
export function originOf(url: string): string {
  return partsOf(url).origin;
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

function partsOf(url: string): { origin: string; path: string } {
  const scp = scpParts(url);
  const long = scp === undefined ? (codecommitHttps(url) ?? url) : `ssh://${scp.host}/${scp.path.replace(/^\/+/, '')}`;
  if (!URL.canParse(long)) return { origin: `invalid ${url}`, path: url };
  const parsed = new URL(long);
  const host = parsed.host.toLowerCase().replace(parsed.protocol === 'ssh:' ? /:22$/ : /$^/, '');
  return { origin: `${parsed.protocol}//${host}`, path: parsed.pathname.replace(/\.git$/, '') };
}
