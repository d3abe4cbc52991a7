import { isJsonObject, type JsonObject } from '../json.ts';
import { codecommitRegion } from '../repository-url.ts';

/** What a Secret opens: the repository of its URL, all below its URL, or those of the GitRepositories that refer to it. */
export type SecretUse = 'repository' | 'template' | 'referenced';

const argoLabel = 'argocd.argoproj.io/secret-type';

/** Keys of Flux's Secrets that prove who one is, or which host is the right one (fluxcd.io/flux/components/source/gitrepositories). */
const fluxKeys = ['password', 'bearerToken', 'identity', 'githubAppPrivateKey', 'caFile', 'ca.crt'];

/** What a Secret that is handed in says it is for; undefined where it does not look as if it opened repositories. */
export function secretUse(object: JsonObject): SecretUse | undefined {
  if (object['apiVersion'] !== 'v1' || object['kind'] !== 'Secret') return undefined;
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const labels = isJsonObject(metadata['labels']) ? metadata['labels'] : {};
  const type = labels[argoLabel];
  if (type === 'repository') return 'repository';
  if (type === 'repo-creds') return 'template';
  if (type !== undefined) return undefined;
  const keys = [...keysOf(object['data']), ...keysOf(object['stringData'])];
  return fluxKeys.some((key) => keys.includes(key)) ? 'referenced' : undefined;
}

/** True where one of the GitRepositories refers to the Secret, which must be in its namespace. */
export function opensRepositories(secret: JsonObject, objects: readonly JsonObject[]): boolean {
  return objects.some((object) => object['kind'] === 'GitRepository' && refersTo(object, secret));
}

/** Whether a GitRepository refers to the Secret. */
export function refersTo(gitRepository: JsonObject, secret: JsonObject): boolean {
  const name = gitRepositoryCredentials(gitRepository).secret;
  const [from, to] = [gitRepository, secret].map((object) => {
    const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
    return { namespace: metadata['namespace'] || 'default', name: metadata['name'] };
  });
  return name !== undefined && to?.name === name && from?.namespace === to.namespace;
}

/** What a GitRepository itself says of its credentials: `provider: aws` is the role of the function, for CodeCommit. */
export function gitRepositoryCredentials(object: JsonObject): { url: string; secret?: string; codecommit?: true } {
  const spec = isJsonObject(object['spec']) ? object['spec'] : {};
  const url = typeof spec['url'] === 'string' ? spec['url'] : '';
  const name = isJsonObject(spec['secretRef']) ? spec['secretRef']['name'] : undefined;
  return {
    url,
    ...(typeof name === 'string' && name !== '' ? { secret: name } : {}),
    ...(spec['provider'] === 'aws' && codecommitRegion(url) !== undefined ? { codecommit: true } : {}),
  };
}

function keysOf(value: unknown): string[] {
  return isJsonObject(value) ? Object.keys(value) : [];
}
