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
