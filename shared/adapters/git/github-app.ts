import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';

import { sha256 } from '../../domain/digest.ts';
import type { RepositoryCredentials } from '../../domain/repository-credentials.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import { repositoryUrl } from './address.ts';
import type { AddressRules } from './address.ts';
import type { HttpAnswer, Transport } from './http-transport.ts';
import { printable } from './remote.ts';

export type AppCredentials = Extract<RepositoryCredentials, { kind: 'github-app' }>;

/** Tokens of GitHub App installations, kept while they are valid. */
export interface AppTokens {
  /**
   * A token that may read the contents of this one repository. Throws `repository-auth-failed` with what to check, or
   * `repository-unreachable` (later) where GitHub cannot answer.
   */
  tokenFor(access: RepositoryAccess, credentials: AppCredentials, url: URL): Promise<string>;
  forget(access: RepositoryAccess, credentials: AppCredentials): void;
}

export interface AppTokenDeps {
  transport: Transport;
  clock: Clock;
  rules: AddressRules;
}

interface Kept {
  token: Promise<string>;
  /** Milliseconds since 1970; until the answer is there, never. */
  until: number;
}

/** A token is not used in its last minutes: a fetch that begins with it must end with it. */
const spareMs = 5 * 60 * 1000;
const maxAnswerBytes = 256 * 1024;
const publicApi = 'https://api.github.com';
const Installation = z.object({ id: z.number().int().positive() });
const Token = z.object({ token: z.string().min(1).max(8192), expires_at: z.string() });

/**
 * App id and key → JWT → installation token for one repository, read only
 * (docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app).
 * Callers for the same repository share one request. The JWT goes to the API's host, the token to the Git host that
 * belongs to it, neither ever after a redirect (NT-26).
 */
export function createAppTokens(deps: AppTokenDeps): AppTokens {
  const kept = new Map<string, Kept>();

  async function request(key: string, access: RepositoryAccess, app: AppCredentials, url: URL): Promise<string> {
    const answer = await requestToken(deps, access, app, url);
    const ends = Date.parse(answer.expires_at);
    const entry = kept.get(key);
    if (entry !== undefined) entry.until = Number.isFinite(ends) ? ends - spareMs : 0;
    return answer.token;
  }

  return {
    tokenFor(access, app, url) {
      const key = keyOf(access, app);
      const known = kept.get(key);
      if (known !== undefined && deps.clock.now() < known.until) return known.token;
      for (const [other, { until }] of kept) if (until <= deps.clock.now()) kept.delete(other);
      const entry: Kept = { token: Promise.reject(new Error('unreachable')), until: Number.POSITIVE_INFINITY };
      entry.token.catch(() => undefined);
      kept.set(key, entry);
      entry.token = request(key, access, app, url);
      // A failure is told to those who waited for it, and not kept.
      entry.token.catch(() => kept.get(key) === entry && kept.delete(key));
      return entry.token;
    },
    forget(access, app) {
      kept.delete(keyOf(access, app));
    },
  };
}

async function requestToken(deps: AppTokenDeps, access: RepositoryAccess, app: AppCredentials, url: URL) {
  const api = apiOf(deps, app, url);
  const { owner, name } = ownerAndName(url);
  const headers = await headersOf(deps, app);
  const call = async (path: string, body?: object) => {
    const target = new URL(`${api.href.replace(/\/$/, '')}${path}`);
    const answer = await deps.transport.send({
      url: target,
      headers,
      ...(access.ca === undefined ? {} : { ca: access.ca }),
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    });
    return { status: answer.status, headers: answer.headers, json: await readJson(answer) };
  };
  const found =
    app.installationId ?? (await installationOf(app, api, await call(`/repos/${owner}/${name}/installation`)));
  const wanted = { repositories: [decodeURIComponent(name)], permissions: { contents: 'read' } };
  const answer = await call(`/app/installations/${found}/access_tokens`, wanted);
  const token = Token.safeParse(answer.json);
  if (answer.status !== 201) throw refusal(app, api, answer, `installation ${found}`);
  if (token.success) return token.data;
  throw new HawserError('repository-unreachable', `${api.host} answered without a token`, { retry: 'later' });
}

interface ApiAnswer {
  status: number;
  headers: HttpAnswer['headers'];
  json: unknown;
}

async function installationOf(app: AppCredentials, api: URL, answer: ApiAnswer): Promise<string> {
  const installation = Installation.safeParse(answer.json);
  if (answer.status === 200 && installation.success) return String(installation.data.id);
  throw refusal(app, api, answer, 'the installation for this repository');
}

/** The API's address; refuses a Git host that does not belong to it, for that host would be given the token. */
function apiOf({ rules }: AppTokenDeps, app: AppCredentials, url: URL): URL {
  const api = repositoryUrl(app.apiUrl ?? publicApi, rules);
  if (api.protocol === url.protocol && api.host.replace(/^api\./, '') === url.host) return api;
  throw new HawserError(
    'repository-auth-failed',
    `The GitHub App is one of ${api.host}, the repository lies on ${url.host}`,
    {
      hint: 'For GitHub Enterprise give the base URL of its API, as https://HOST/api/v3.',
    },
  );
}

function ownerAndName(url: URL): { owner: string; name: string } {
  const [, owner, name] = /^\/([^/]+)\/([^/]+?)(?:\.git)?$/.exec(url.pathname) ?? [];
  if (owner !== undefined && name !== undefined) return { owner, name };
  throw new HawserError(
    'repository-auth-failed',
    `${url.host}${url.pathname} is not the address of a repository on GitHub`,
    {
      hint: 'It has the form https://HOST/OWNER/NAME.git.',
    },
  );
}

/** Valid from a minute ago, for clocks that differ, and for nine minutes of the ten that GitHub allows. */
async function headersOf({ clock }: AppTokenDeps, app: AppCredentials): Promise<Record<string, string>> {
  const now = Math.floor(clock.now() / 1000);
  const jwt = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuedAt(now - 60)
    .setExpirationTime(now + 480)
    .setIssuer(app.appId)
    .sign(keyOfApp(app));
  return {
    authorization: `Bearer ${jwt}`,
    accept: 'application/vnd.github+json',
    'content-type': 'application/json',
    'x-github-api-version': '2022-11-28',
  };
}

/** The cause is left out: it could quote the key. */
function keyOfApp(app: AppCredentials): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(app.privateKey);
  } catch {
    key = undefined;
  }
  if (key?.asymmetricKeyType === 'rsa') return key;
  throw new HawserError('repository-auth-failed', `The private key of GitHub App ${app.appId} cannot be read`, {
    hint: "Give the .pem file as GitHub made it on the app's page: an RSA key without a passphrase.",
  });
}

async function readJson(answer: HttpAnswer): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    return undefined;
  }
}

function refusal(app: AppCredentials, api: URL, answer: ApiAnswer, about: string): HawserError {
  const said = z.object({ message: z.string() }).safeParse(answer.json);
  const message = said.success ? printable(said.data.message) : '';
  const { status, headers } = answer;
  const data = { status, host: api.host, appId: app.appId };
  const spent = status === 429 || headers['x-ratelimit-remaining'] === '0' || headers['retry-after'] !== undefined;
  if (status >= 500 || spent || ![401, 403, 404, 422].includes(status)) {
    const text = status >= 300 && status < 400 ? 'redirects, which is not followed' : `answered with status ${status}`;
    return new HawserError('repository-unreachable', `${api.host} ${text} when asked for a token`, {
      retry: 'later',
      data,
    });
  }
  const sentence = `${api.host} gives GitHub App ${app.appId} no token (${status}${message === '' ? '' : `: ${message}`})`;
  return new HawserError('repository-auth-failed', sentence, { data, hint: hintOf(status, message, about) });
}

function hintOf(status: number, message: string, about: string): string {
  if (/suspended/i.test(message)) return "Somebody suspended the installation: resume it in the owner's settings.";
  if (/expiration|'exp'|'iat'|issued at/i.test(message)) return "The service's clock is wrong: check its time.";
  if (status === 401)
    return 'Check that the app id and the private key belong together, and that the key was not deleted.';
  if (status === 404)
    return `GitHub does not know ${about}: check the ids, and that the app is installed for the owner.`;
  return 'Check that the app is installed for this repository, and may read its contents.';
}

/** Tokens are bound to organisation, app, key and repository: nobody is handed another's. */
function keyOf(access: RepositoryAccess, app: AppCredentials): string {
  const { appId, installationId, apiUrl, privateKey } = app;
  return sha256(
    JSON.stringify([access.organisation, access.url, appId, installationId ?? '', apiUrl ?? '', sha256(privateKey)]),
  );
}
