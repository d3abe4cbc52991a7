import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RepositoryCredentials } from '#shared/domain/repository-credentials.ts';
import { credentialsMisfit } from '#shared/domain/repository-url.ts';
import { readSecret } from './ask-first.ts';
import type { Context } from './context.ts';
import { usage } from './failure.ts';

/** Options of `hawser repo add` that say how to log in; where argocd has the same, they are called the same. */
export interface CredentialOptions {
  username?: string;
  password?: string;
  passwordStdin?: boolean;
  bearerToken?: string;
  bearerTokenStdin?: boolean;
  githubAppId?: string;
  githubAppInstallationId?: string;
  githubAppPrivateKeyPath?: string;
  githubAppEnterpriseBaseUrl?: string;
  sshPrivateKeyPath?: string;
  sshPassphrase?: string;
  knownHosts?: string;
  codecommit?: boolean;
  caFile?: string;
}

/** What is sent: keys are read from files, so that none stands in a list of processes. */
export interface GivenCredentials {
  credentials?: RepositoryCredentials;
  ca?: string;
}

/** Reads what the options name. Wrong combinations are usage failures that say what goes with what. */
export async function readCredentials(
  context: Context,
  url: string,
  options: CredentialOptions,
): Promise<GivenCredentials> {
  const kinds = kindsOf(options);
  if (kinds.length > 1) throw usage(`there is more than one way to log in: ${kinds.join(', ')}`, 'Choose one.');
  refuseStrays(options, kinds[0]);
  const credentials = await credentialsOf(context, options, kinds[0]);
  const misfit = credentials === undefined ? undefined : credentialsMisfit(url, credentials.kind);
  if (misfit !== undefined) throw usage(misfit);
  return {
    ...(credentials === undefined ? {} : { credentials }),
    ...(options.caFile === undefined ? {} : { ca: readText(context, options.caFile, '--ca-file') }),
  };
}

const ways = {
  password: '--password',
  'bearer-token': '--bearer-token',
  'github-app': '--github-app-private-key-path',
  ssh: '--ssh-private-key-path',
  codecommit: '--codecommit',
} as const;
type Way = keyof typeof ways;

function kindsOf(options: CredentialOptions): Way[] {
  const given: Record<Way, boolean> = {
    password: options.username !== undefined || options.password !== undefined || options.passwordStdin === true,
    'bearer-token': options.bearerToken !== undefined || options.bearerTokenStdin === true,
    'github-app': options.githubAppId !== undefined || options.githubAppPrivateKeyPath !== undefined,
    ssh: options.sshPrivateKeyPath !== undefined,
    codecommit: options.codecommit === true,
  };
  return (Object.keys(ways) as Way[]).filter((way) => given[way]);
}

/** Options that mean nothing without another. */
function refuseStrays(options: CredentialOptions, way: Way | undefined): void {
  const strays = [
    ['--known-hosts', options.knownHosts, 'ssh'],
    ['--ssh-passphrase', options.sshPassphrase, 'ssh'],
    ['--github-app-installation-id', options.githubAppInstallationId, 'github-app'],
    ['--github-app-enterprise-base-url', options.githubAppEnterpriseBaseUrl, 'github-app'],
  ] as const;
  for (const [name, value, needs] of strays) {
    if (value !== undefined && way !== needs) throw usage(`${name} goes with ${ways[needs]} only`);
  }
}

async function credentialsOf(
  context: Context,
  options: CredentialOptions,
  way: Way | undefined,
): Promise<RepositoryCredentials | undefined> {
  switch (way) {
    case 'password': {
      const password = await readSecret(context, options.passwordStdin === true ? '-' : options.password);
      if (password === undefined) throw usage('--username goes with --password', 'Hosts take a token as password.');
      return { kind: 'basic', password, ...(options.username === undefined ? {} : { username: options.username }) };
    }
    case 'bearer-token': {
      const token = await readSecret(context, options.bearerTokenStdin === true ? '-' : options.bearerToken);
      return { kind: 'bearer', token: token ?? '' };
    }
    case 'github-app':
      return appOf(context, options);
    case 'ssh': {
      const passphrase = await readSecret(context, options.sshPassphrase);
      return {
        kind: 'ssh',
        privateKey: readText(context, options.sshPrivateKeyPath ?? '', '--ssh-private-key-path'),
        ...(passphrase === undefined ? {} : { passphrase }),
        ...(options.knownHosts === undefined
          ? {}
          : { knownHosts: readText(context, options.knownHosts, '--known-hosts') }),
      };
    }
    case 'codecommit':
      return { kind: 'codecommit' };
    default:
      return undefined;
  }
}

function appOf(context: Context, options: CredentialOptions): RepositoryCredentials {
  const { githubAppId, githubAppInstallationId, githubAppPrivateKeyPath, githubAppEnterpriseBaseUrl } = options;
  if (githubAppId === undefined || githubAppPrivateKeyPath === undefined) {
    throw usage('--github-app-id goes with --github-app-private-key-path', 'Both stand on the page of the app.');
  }
  return {
    kind: 'github-app',
    appId: githubAppId,
    privateKey: readText(context, githubAppPrivateKeyPath, '--github-app-private-key-path'),
    ...(githubAppInstallationId === undefined ? {} : { installationId: githubAppInstallationId }),
    ...(githubAppEnterpriseBaseUrl === undefined ? {} : { apiUrl: githubAppEnterpriseBaseUrl }),
  };
}

function readText(context: Context, path: string, option: string): string {
  try {
    return readFileSync(resolve(context.cwd, path), 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    throw usage(`${option}: ${path} cannot be read${code === undefined ? '' : ` (${code})`}`);
  }
}
