import { HawserError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { RepositoryCredentials, type StoredAccess } from '../repository-credentials.ts';
import { isRepositoryUrl, isSshUrl } from '../repository-url.ts';
import type { SecretUse } from './secret-use.ts';

/** A Secret that opens repositories, read: for one URL, for all below one, or for whoever refers to it (Flux). */
export interface RepositorySecret {
  use: SecretUse;
  url?: string;
  stored: StoredAccess;
  /** What of it has no effect here. */
  notes: string[];
}

/** Reads a Secret. Errors name keys and reasons, never values (NT-90, NT-93). */
export function compileRepositorySecret(object: JsonObject, use: SecretUse): RepositorySecret {
  const values = decode(object);
  if (use !== 'referenced') return compileArgo(values, use);
  const { stored, notes } = compileFlux(values);
  return { use, stored, notes };
}

/** The Secret as it is kept: what it is called, nothing of what it holds (NT-95). */
export function withoutData(object: JsonObject): JsonObject {
  const { name, namespace, labels } = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const metadata: JsonObject = {};
  for (const [key, value] of Object.entries({ name, namespace, labels }))
    if (value !== undefined) metadata[key] = value;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    ...(object['type'] === undefined ? {} : { type: object['type'] }),
  };
}

/** Keys as Argo CD spells them (util/db/repository_secrets.go). */
function compileArgo(values: Map<string, string>, use: 'repository' | 'template'): RepositorySecret {
  const url = values.get('url')?.trim() ?? '';
  if (!isRepositoryUrl(url)) throw invalid('url: is missing, or no address of a repository');
  const type = values.get('type') ?? 'git';
  if (type !== 'git')
    throw unsupported(`type: credentials of ${quoted(type)} repositories are not read yet, only of git`);
  const refused = [
    'tlsClientCertData',
    'tlsClientCertKey',
    'gcpServiceAccountKey',
    'azureServicePrincipalClientSecret',
  ];
  for (const key of refused) if (values.get(key)) throw unsupported(`${key}: this way to log in is not supported`);
  if (isTrue(values.get('useAzureWorkloadIdentity'))) {
    throw unsupported('useAzureWorkloadIdentity: this way to log in is not supported');
  }
  const notes: string[] = [];
  for (const key of ['insecure', 'insecureIgnoreHostKey']) {
    if (isTrue(values.get(key))) notes.push(`${key} has no effect: certificates and host keys are always verified`);
  }
  for (const key of ['proxy', 'noProxy', 'enableLfs', 'project']) {
    if (values.get(key)) notes.push(`${key} has no effect`);
  }
  const credentials = argoCredentials(values, url);
  return { use, url, stored: credentials === undefined ? {} : { credentials }, notes };
}

function argoCredentials(values: Map<string, string>, url: string): RepositoryCredentials | undefined {
  if (isSshUrl(url)) {
    const privateKey = values.get('sshPrivateKey');
    return privateKey === undefined ? undefined : checked('sshPrivateKey', { kind: 'ssh', privateKey });
  }
  const app = appCredentials(values, 'githubAppEnterpriseBaseUrl');
  if (app !== undefined) return app;
  const token = values.get('bearerToken');
  if (token) return checked('bearerToken', { kind: 'bearer', token });
  return basicCredentials(values);
}

/** Keys as Flux spells them. */
function compileFlux(values: Map<string, string>): { stored: StoredAccess; notes: string[] } {
  const notes: string[] = [];
  if (values.has('tls.key') && values.has('tls.crt')) notes.push('tls.crt and tls.key have no effect yet');
  const ca = values.get('ca.crt') ?? values.get('caFile');
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw invalid(`${values.has('ca.crt') ? 'ca.crt' : 'caFile'}: is not a certificate in PEM form`);
  }
  const credentials = fluxCredentials(values);
  return {
    stored: { ...(credentials === undefined ? {} : { credentials }), ...(ca === undefined ? {} : { ca }) },
    notes,
  };
}

function fluxCredentials(values: Map<string, string>): RepositoryCredentials | undefined {
  const privateKey = values.get('identity');
  if (privateKey !== undefined) {
    const passphrase = values.get('password');
    const knownHosts = values.get('known_hosts');
    return checked('identity', {
      kind: 'ssh',
      privateKey,
      ...(passphrase ? { passphrase } : {}),
      ...(knownHosts ? { knownHosts } : {}),
    });
  }
  const app = appCredentials(values, 'githubAppBaseURL');
  if (app !== undefined) return app;
  const token = values.get('bearerToken');
  if (token) return checked('bearerToken', { kind: 'bearer', token: token.trim() });
  return basicCredentials(values);
}

function appCredentials(values: Map<string, string>, baseKey: string): RepositoryCredentials | undefined {
  const privateKey = values.get('githubAppPrivateKey');
  if (privateKey === undefined) return undefined;
  const appId = values.get('githubAppID')?.trim();
  if (!appId) throw invalid('githubAppID: is missing');
  const installationId = values.get('githubAppInstallationID')?.trim();
  const apiUrl = values.get(baseKey)?.trim();
  return checked('githubAppPrivateKey, githubAppID or githubAppInstallationID', {
    kind: 'github-app',
    appId,
    privateKey,
    ...(installationId ? { installationId } : {}),
    ...(apiUrl ? { apiUrl } : {}),
  });
}

function basicCredentials(values: Map<string, string>): RepositoryCredentials | undefined {
  const password = values.get('password');
  if (!password) return undefined;
  const username = values.get('username');
  return checked('username or password', { kind: 'basic', password, ...(username ? { username } : {}) });
}

/** The schema's own sentence, without what was given. */
function checked(keys: string, credentials: RepositoryCredentials): RepositoryCredentials {
  const result = RepositoryCredentials.safeParse(credentials);
  if (result.success) return result.data;
  throw invalid(`${keys}: ${result.error.issues[0]?.message ?? 'cannot be used'}`);
}

function decode(object: JsonObject): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of entriesOf(object['data'])) {
    if (typeof value !== 'string' || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value))
      throw invalid(`data.${key}: is not base64`);
    values.set(key, Buffer.from(value, 'base64').toString());
  }
  for (const [key, value] of entriesOf(object['stringData'])) {
    if (typeof value !== 'string') throw invalid(`stringData.${key}: is not text`);
    values.set(key, value);
  }
  return values;
}

function entriesOf(value: unknown): [string, unknown][] {
  return isJsonObject(value) ? Object.entries(value) : [];
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 20));
}

function invalid(message: string): HawserError {
  return new HawserError('invalid-input', message);
}

function unsupported(message: string): HawserError {
  return new HawserError('unsupported', message);
}
