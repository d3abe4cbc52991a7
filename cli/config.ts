import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { usage } from './failure.ts';

/** Where server and token came from, in the order in which they are looked for. */
export type ConfigSource = 'option' | 'environment' | 'login' | 'run';

export interface Target {
  server: string;
  token: string | undefined;
  source: ConfigSource;
  /** The file, where it came from one. */
  file?: string;
}

interface Place {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
}

interface Candidate {
  source: ConfigSource;
  server?: string | undefined;
  token?: string | undefined;
  file?: string;
}

/**
 * Server and token: --server/--token, HAWSER_SERVER/HAWSER_TOKEN, the login file, `.hawser/run.json` in this folder or above.
 * A token is never sent to another server than the one it was stored with. Throws a usage failure where there is no server.
 */
export function findTarget(options: { server?: string; token?: string }, place: Place): Target {
  const candidates: Candidate[] = [
    { source: 'option', server: options.server, token: options.token },
    { source: 'environment', server: place.env['HAWSER_SERVER'], token: place.env['HAWSER_TOKEN'] },
    ...loginCandidate(place),
    ...runCandidate(place.cwd),
  ];
  const named = candidates.find(({ server }) => (server ?? '') !== '');
  if (named === undefined) {
    throw usage(
      'there is no server to talk to',
      'Log in with `hawser login SERVER`, set HAWSER_SERVER and HAWSER_TOKEN, or run this below a folder where `npm start` runs.',
    );
  }
  const server = normaliseServer(named.server ?? '');
  const fitting = candidates.find(
    (candidate) =>
      (candidate.token ?? '') !== '' && ((candidate.server ?? '') === '' || sameServer(candidate.server ?? '', server)),
  );
  return {
    server,
    token: fitting?.token,
    source: named.source,
    ...(named.file === undefined ? {} : { file: named.file }),
  };
}

/** `https://host/` and `host` → `https://host`; loopback names get http. Throws a usage failure for what is no address. */
export function normaliseServer(text: string): string {
  const isLocal = /^(localhost|127\.|\[::1\])/.test(text);
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `${isLocal ? 'http' : 'https'}://${text}`;
  if (!URL.canParse(withScheme)) throw usage(`${JSON.stringify(text)} is not the address of a server`, example);
  const url = new URL(withScheme);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw usage(`${JSON.stringify(text)} is not an http address`, example);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

const example = 'Write it as https://hawser.example.com.';

/** Where `hawser login` keeps server and token. */
export function loginFile({ env, home }: Pick<Place, 'env' | 'home'>): string {
  const base = env['XDG_CONFIG_HOME'];
  return join(base === undefined || base === '' ? join(home, '.config') : base, 'hawser', 'login.json');
}

/** Writes the login file, readable for its owner only. */
export function saveLogin(file: string, login: { server: string; token: string }): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(login, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}

/** Whether there was a login to forget. */
export function removeLogin(file: string): boolean {
  const existed = existsSync(file);
  rmSync(file, { force: true });
  return existed;
}

function loginCandidate(place: Place): Candidate[] {
  const file = loginFile(place);
  const stored = readJson(file);
  return stored === undefined ? [] : [{ source: 'login', server: stored['server'], token: stored['token'], file }];
}

/** The nearest `.hawser/run.json`, from this folder upwards: a service that `npm start` runs. */
function runCandidate(cwd: string): Candidate[] {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, '.hawser', 'run.json');
    const stored = readJson(file);
    if (stored !== undefined) return [{ source: 'run', server: stored['url'], token: stored['token'], file }];
    if (dirname(folder) === folder) return [];
  }
}

function readJson(file: string): Record<string, string | undefined> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) throw new Error('no object');
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [key, typeof field === 'string' ? field : undefined]),
    );
  } catch {
    throw usage(`${file} is damaged`, 'Remove it, then log in again or start the service again.');
  }
}

function sameServer(one: string, other: string): boolean {
  return URL.canParse(one.includes('://') ? one : `https://${one}`) && normaliseServer(one) === other;
}
