import { z } from 'zod';

import { HawserError } from '../errors.ts';

/** Bounds on what somebody hands in as a secret: a token (LIM-15), and a key or list of keys. */
const token = z.string().min(1).max(8192);
const pem = z
  .string()
  .max(32_768)
  .regex(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/, 'is not a private key in PEM form (-----BEGIN … PRIVATE KEY-----)');

/** How the service proves to a Git host who it is. Write-only: stored in the secret store, never shown (NT-94). */
export const RepositoryCredentials = z.discriminatedUnion('kind', [
  /** User name (default `git`) and password or token, over https. */
  z.object({ kind: z.literal('basic'), username: z.string().min(1).max(1024).optional(), password: token }),
  /** `Authorization: Bearer`, over https. */
  z.object({ kind: z.literal('bearer'), token }),
  /** An installation of a GitHub App, which answers with tokens of an hour, over https. */
  z.object({
    kind: z.literal('github-app'),
    /** The app's id, or its client id. */
    appId: z.string().regex(/^[\w.-]{1,64}$/),
    /** Found through the repository when absent. */
    installationId: z
      .string()
      .regex(/^\d{1,20}$/)
      .optional(),
    privateKey: pem,
    /** API of a GitHub Enterprise, as `https://HOST/api/v3`; default https://api.github.com. */
    apiUrl: z.string().max(1024).optional(),
  }),
  /** A private key, and host keys in the format of OpenSSH's known_hosts. */
  z.object({
    kind: z.literal('ssh'),
    privateKey: pem,
    passphrase: z.string().min(1).max(1024).optional(),
    knownHosts: z.string().max(65_536).optional(),
  }),
  /** The IAM role that the service runs as: there is no secret. */
  z.object({ kind: z.literal('codecommit') }),
]);
export type RepositoryCredentials = z.infer<typeof RepositoryCredentials>;
export type CredentialKind = RepositoryCredentials['kind'];

/** What the secret store holds for a repository or a template of credentials. */
export interface StoredAccess {
  credentials?: RepositoryCredentials;
  /** Certificate authorities (PEM) that are trusted for the host besides the public ones. */
  ca?: string;
}

const Stored = z.object({ credentials: RepositoryCredentials.optional(), ca: z.string().optional() });
/** What was stored before there were kinds. */
const Former = z.object({
  username: z.string().optional(),
  password: z.string().optional(),
  bearerToken: z.string().optional(),
});

/** Reads what `JSON.stringify` made of a `StoredAccess`, today or before there were kinds. Errors quote nothing of it (NT-93). */
export function parseStoredAccess(text: string): StoredAccess {
  const value = parseJson(text);
  const stored = Stored.safeParse(value);
  if (stored.success && isKnown(value)) {
    const { credentials, ca } = stored.data;
    return { ...(credentials === undefined ? {} : { credentials }), ...(ca === undefined ? {} : { ca }) };
  }
  const former = Former.safeParse(value);
  if (!former.success || isKnown(value)) throw unreadable();
  const { username, password, bearerToken } = former.data;
  if (bearerToken) return { credentials: { kind: 'bearer', token: bearerToken } };
  if (password) return { credentials: { kind: 'basic', password, ...(username ? { username } : {}) } };
  return {};
}

/** Why these credentials cannot be used with this address; undefined where they can. */
export function credentialsMisfit(url: string, kind: CredentialKind): string | undefined {
  const overSsh = isSshUrl(url);
  if (kind === 'ssh') return overSsh ? undefined : 'an SSH key needs an address of the form git@host:path or ssh://…';
  if (kind === 'codecommit') {
    return codecommitRegion(url) === undefined
      ? 'the IAM role opens repositories of CodeCommit only: https://git-codecommit.REGION.amazonaws.com/v1/repos/NAME'
      : undefined;
  }
  return overSsh ? 'a password, token or GitHub App needs an https address; over ssh give an SSH key' : undefined;
}

/** True for the forms of addresses that repositories have here: https, http, ssh, `user@host:path`, `codecommit::…`. */
export function isRepositoryUrl(url: string): boolean {
  if (/[\p{Cc}\s\\]/u.test(url) || url.length > 2048) return false;
  return /^(?:https?|ssh):\/\/[^/?#]/i.test(url) || scpParts(url) !== undefined || codecommitHttps(url) !== undefined;
}

/** True for `ssh://…` and for `user@host:path`. */
export function isSshUrl(url: string): boolean {
  return /^ssh:\/\//i.test(url) || scpParts(url) !== undefined;
}

/** The parts of `user@host:path`, Git's short way of writing an address over ssh; undefined for anything else. */
export function scpParts(url: string): { user: string; host: string; path: string } | undefined {
  const [, user, host, path] = /^([\w.+-]+)@([\w.-]+|\[[\da-f:.]+\]):(?!\/\/)(\S+)$/i.exec(url) ?? [];
  return user === undefined || host === undefined || path === undefined ? undefined : { user, host, path };
}

/**
 * The AWS region of a CodeCommit address; undefined for any other. With host names of AWS's partitions, FIPS endpoints
 * included (docs.aws.amazon.com/codecommit/latest/userguide/regions.html).
 */
export function codecommitRegion(url: string): string | undefined {
  const https = codecommitHttps(url) ?? url;
  return /^https:\/\/git-codecommit(?:-fips)?\.([a-z0-9-]{1,40})\.amazonaws\.com(?:\.cn)?\/v1\/repos\/[\w.-]{1,100}\/?$/.exec(
    https,
  )?.[1];
}

/** The https address of `codecommit::REGION://NAME`, as git-remote-codecommit makes it; undefined for other addresses. */
export function codecommitHttps(url: string): string | undefined {
  const [, region, name] = /^codecommit::([a-z0-9-]{1,40}):\/\/([\w.-]{1,100})$/.exec(url) ?? [];
  if (region === undefined || name === undefined) return undefined;
  const suffix = region.startsWith('cn-') ? '.cn' : '';
  return `https://git-codecommit.${region}.amazonaws.com${suffix}/v1/repos/${name}`;
}

function isKnown(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('credentials' in value || 'ca' in value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw unreadable();
  }
}

function unreadable(): HawserError {
  return new HawserError('repository-auth-failed', 'The stored credentials cannot be read', {
    hint: 'Store them again with `hawser repo add`.',
  });
}
