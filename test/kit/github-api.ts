import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { jwtVerify } from 'jose';

/** What the app has done with this API; every answer can be changed while it runs. */
export interface GitHubApi {
  /** The app's key as GitHub hands it out: PKCS #1. */
  privateKey: string;
  appId: string;
  /** Repositories (`owner/name`) by installation. */
  installations: Map<string, string[]>;
  /** Tokens that were given out, newest last. */
  tokens: string[];
  /** Milliseconds that tokens live, by the clock of the test. */
  lifetimeMs: number;
  now: () => number;
  requests: { path: string; authorization: string; body: string }[];
  /** Answers instead of the API. */
  override?:
    | ((path: string) => { status: number; headers?: Record<string, string>; body?: string } | undefined)
    | undefined;
  handle(request: IncomingMessage): Promise<{ status: number; headers?: Record<string, string>; body?: string }>;
}

/** The two calls of GitHub's API that give an app its tokens, with the checks that GitHub makes. */
export function createGitHubApi(appId: string): GitHubApi {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const api: GitHubApi = {
    privateKey: pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    appId,
    installations: new Map(),
    tokens: [],
    lifetimeMs: 60 * 60 * 1000,
    now: () => Date.now(),
    requests: [],
    async handle(request) {
      const path = (request.url ?? '').replace(/^\/api\/v3/, '');
      const body = await readBody(request);
      const authorization = request.headers.authorization ?? '';
      api.requests.push({ path, authorization, body });
      const own = api.override?.(path);
      if (own !== undefined) return own;
      const problem = await checkJwt(api, createPublicKey(pair.privateKey), authorization);
      if (problem !== undefined) return answer(401, { message: problem });
      const lookup = /^\/repos\/([^/]+\/[^/]+)\/installation$/.exec(path)?.[1];
      if (lookup !== undefined) {
        const found = [...api.installations].find(([, repositories]) => repositories.includes(lookup));
        return found === undefined ? answer(404, { message: 'Not Found' }) : answer(200, { id: Number(found[0]) });
      }
      const id = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(path)?.[1];
      const repositories = id === undefined ? undefined : api.installations.get(id);
      if (repositories === undefined) return answer(404, { message: 'Integration not found' });
      const wanted = (JSON.parse(body) as { repositories: string[] }).repositories;
      if (!wanted.every((name) => repositories.some((known) => known.endsWith(`/${name}`)))) {
        return answer(422, { message: 'There is at least one repository that does not exist or is not accessible' });
      }
      const token = `ghs_canary${api.tokens.length}`;
      api.tokens.push(token);
      return answer(201, { token, expires_at: new Date(api.now() + api.lifetimeMs).toISOString() });
    },
  };
  return api;
}

async function checkJwt(
  api: GitHubApi,
  key: Parameters<typeof jwtVerify>[1],
  authorization: string,
): Promise<string | undefined> {
  try {
    const options = { algorithms: ['RS256'], issuer: api.appId, currentDate: new Date(api.now()) };
    const { payload } = await jwtVerify(authorization.replace(/^Bearer /, ''), key as never, options);
    const lives = (payload.exp ?? 0) - (payload.iat ?? 0);
    if ((payload.iat ?? 0) * 1000 > api.now())
      return "'Issued at' claim ('iat') must be an Integer representing the time";
    return lives > 600 ? "'Expiration time' claim ('exp') is too far in the future" : undefined;
  } catch {
    return 'A JSON web token could not be decoded';
  }
}

function answer(status: number, body: object) {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
