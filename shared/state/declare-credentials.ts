import { HawserError } from '../errors.ts';
import { compileRepositorySecret, withoutData, type RepositorySecret } from '../domain/compile/repository-secret.ts';
import { gitRepositoryCredentials, refersTo, secretUse } from '../domain/compile/secret-use.ts';
import { sha256 } from '../domain/digest.ts';
import type { JsonObject } from '../domain/json.ts';
import { isRepositoryUrl } from '../domain/repository-url.ts';
import { toId } from '../domain/ids.ts';
import { identity, type DeclareContext, type DeclareItem } from './declare-context.ts';
import { organisationKey, sortKeys } from './keys.ts';
import { ensureRepository, listRepositories, type Repository } from './registry.ts';
import {
  credentialSourceOf,
  linkCredentials,
  originOf,
  putCredentials,
  putTemplate,
  refuseMisfit,
  templateFor,
  writeStored,
  type CredentialSource,
} from './repository-access.ts';
import { eachRow, updateRow } from './update.ts';

/** What is kept of a Secret: that it was handed in, and what it opens with. */
interface SecretRow extends CredentialSource {
  declared: JsonObject;
  /** Where it may be sent, by the GitRepositories that refer to it: another host needs a person to hand it in anew (NT-26). */
  origins: string[];
}

/**
 * Takes a Secret that opens repositories: Argo CD's `repository` and `repo-creds`, and those that a GitRepository refers
 * to. What it holds goes to the secret store; what is kept here is without data. Anything else is refused: it belongs
 * into a cluster, and nobody should get used to handing Secrets to the service.
 */
export async function declareCredentials(context: DeclareContext, object: JsonObject): Promise<DeclareItem> {
  const use = secretUse(object);
  if (use === undefined) throw notOurs();
  const { name } = identity(object);
  if (name === '') throw new HawserError('invalid-input', 'metadata.name is missing');
  const secret = compileRepositorySecret(object, use);
  const readers = use === 'referenced' ? await readersOf(context, object) : [];
  if (use === 'referenced' && readers.length === 0) throw notOurs();
  for (const url of readers) refuseMisfit(url, secret.stored.credentials);
  if (secret.url !== undefined) refuseMisfit(secret.url, secret.stored.credentials);
  const kept = await context.deps.store.get(organisationKey(context.request.organisation), keyOf(object));
  // What it held before cannot be read here, nor is a digest of it kept: a password could be guessed from one.
  const item: DeclareItem = { ...identity(object), action: kept === undefined ? 'created' : 'configured' };
  if (secret.notes.length > 0) item.message = secret.notes.join('; ');
  if (!context.request.dryRun) await keep(context, object, secret, readers);
  return item;
}

/** After a GitRepository was declared: its repository is read with what it refers to. Gives what is still missing. */
export async function linkGitRepository(context: DeclareContext, object: JsonObject): Promise<string | undefined> {
  const { url, secret, codecommit } = gitRepositoryCredentials(object);
  if (!isRepositoryUrl(url) || (secret === undefined && codecommit === undefined)) return undefined;
  if (codecommit !== undefined) {
    if (!context.request.dryRun) await link(context, url, { kind: 'codecommit' });
    return undefined;
  }
  const namespace = identity(object).namespace;
  const row = await context.deps.store.get<SecretRow>(
    organisationKey(context.request.organisation),
    sortKeys.object('Secret', namespace || 'default', secret ?? ''),
  );
  const isComing = context.request.objects.some((other) => other['kind'] === 'Secret' && refersTo(object, other));
  if (row === undefined) {
    return isComing
      ? undefined
      : `waits for Secret ${namespace || 'default'}/${secret}: hand it in with \`hawser apply\``;
  }
  const { kind, secret: stored, origins } = row.value;
  if (!origins.includes(originOf(url)) && !isComing) {
    return `Secret ${namespace || 'default'}/${secret} was handed in for ${origins.join(', ')}: to have it sent to ${originOf(url)}, hand it in anew`;
  }
  const source = { ...(kind === undefined ? {} : { kind }), ...(stored === undefined ? {} : { secret: stored }) };
  if (!context.request.dryRun && !isComing) await link(context, url, source);
  return undefined;
}

async function keep(
  context: DeclareContext,
  object: JsonObject,
  secret: RepositorySecret,
  readers: readonly string[],
): Promise<void> {
  const { deps, request } = context;
  const { namespace, name } = identity(object);
  const { stored, url } = secret;
  let source: CredentialSource = {};
  if (secret.use === 'referenced') {
    const kind = stored.credentials?.kind;
    source = {
      ...(kind === undefined ? {} : { kind }),
      secret: `secret.${sha256(`${namespace}/${name}`).slice(0, 32)}`,
    };
    await writeStored(deps.secrets, request.organisation, source.secret ?? '', stored);
    for (const reader of readers) await link(context, reader, source);
  } else if (secret.use === 'template' && url !== undefined) {
    const id = toId(`${namespace || 'argocd'}-${name}`);
    await putTemplate(deps, request.organisation, { id, url }, stored);
    await refreshBelow(context, url, id);
  } else if (url !== undefined) {
    const repository = await ensureRepository(deps, request.organisation, url);
    // Without credentials of its own it is left to those of a template.
    if (stored.credentials !== undefined) {
      await putCredentials(deps, request.organisation, { id: repository.id, url }, stored);
      context.refresh(repository.id);
    }
  }
  const value: SecretRow = { declared: withoutData(object), origins: [...new Set(readers.map(originOf))], ...source };
  await updateRow<SecretRow>(deps.store, organisationKey(request.organisation), keyOf(object), () => value);
}

async function link(context: DeclareContext, url: string, source: CredentialSource): Promise<void> {
  const { deps, request } = context;
  const repository = await ensureRepository(deps, request.organisation, url);
  if (isLinked(repository, url, source)) return context.refresh(repository.id);
  await linkCredentials(deps.store, request.organisation, { id: repository.id, url }, source);
  context.refresh(repository.id);
}

function isLinked(repository: Repository, url: string, { kind, secret }: CredentialSource): boolean {
  return (
    repository.hasCredentials &&
    repository.url === url &&
    repository.credentialKind === kind &&
    repository.credentialSecret === secret
  );
}

/** Repositories that are read with the template from now on are read again. */
async function refreshBelow(context: DeclareContext, url: string, id: string): Promise<void> {
  const { deps, request } = context;
  for (const repository of await listRepositories(deps.store, request.organisation)) {
    if (templateFor([{ id, url }], repository.url) === undefined) continue;
    const source = await credentialSourceOf(deps.store, request.organisation, repository);
    if (source?.secret === `template.${id}`) context.refresh(repository.id);
  }
}

/** URLs of the GitRepositories, of this request and kept ones, that refer to the Secret. */
async function readersOf(context: DeclareContext, object: JsonObject): Promise<string[]> {
  const { deps, request } = context;
  const candidates = request.objects.filter((other) => identity(other).kind === 'GitRepository');
  const partition = organisationKey(request.organisation);
  for await (const row of eachRow<{ declared: JsonObject }>(deps.store, partition, 'OBJECT#GitRepository#'))
    candidates.push(row.value.declared);
  const urls = candidates.flatMap((candidate) => {
    const { url } = gitRepositoryCredentials(candidate);
    return refersTo(candidate, object) && isRepositoryUrl(url) ? [url] : [];
  });
  return [...new Set(urls)];
}

function keyOf(object: JsonObject): string {
  const { namespace, name } = identity(object);
  return sortKeys.object('Secret', namespace || 'default', name);
}

function notOurs(): HawserError {
  return new HawserError(
    'invalid-input',
    'a Secret is taken only where it opens repositories: with the label argocd.argoproj.io/secret-type repository or repo-creds, or named by spec.secretRef of a GitRepository (hand both in together)',
  );
}
