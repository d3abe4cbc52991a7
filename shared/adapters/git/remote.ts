import type { IncomingHttpHeaders } from 'node:http';

import { HawserError } from '../../errors.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import type { HttpAnswer, Transport } from './http-transport.ts';
import type { GitLimits } from './limits.ts';
import { delimiter, encodePackets, flush, readPackets, textOf } from './pkt-line.ts';
import { parseAdvertisedRefs, parseRefLine } from './ref.ts';
import type { RemoteRef } from './ref.ts';

/** What a Git host said about itself and this repository. */
export interface Remote {
  /** Where requests go; differs from the registered URL after a redirect within the same origin. */
  base: URL;
  version: 0 | 2;
  /** Understands `filter`: trees can be had without files. */
  filter: boolean;
  /** Serves any object by id, as protocol 2 does. */
  anyObject: boolean;
  /** Protocol 0 only: the capabilities to choose from, and the refs, which come with the greeting. */
  capabilities: string[];
  refs: RemoteRef[];
}

/** What every request to a repository needs. */
export interface RemoteContext {
  transport: Transport;
  limits: GitLimits;
  access: RepositoryAccess;
}

const REDIRECTS = 3;

/** Asks the host for its capabilities (`GET info/refs`). Errors as the port says. */
export async function discover(context: RemoteContext, url: URL): Promise<Remote> {
  let base = url;
  for (let redirects = 0; ; redirects += 1) {
    const target = new URL(`${base.href}/info/refs?service=git-upload-pack`);
    const answer = await context.transport.send({ url: target, headers: headersFor(context.access) });
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers.location : undefined;
    if (location === undefined) return parseGreeting(context, base, answer);
    answer.discard();
    base = redirectedBase(target, location, redirects);
  }
}

/** Reads refs that start with one of the prefixes; v0 hosts give what they gave with the greeting. */
export async function listRefs(
  context: RemoteContext,
  remote: Remote,
  prefixes: readonly string[],
): Promise<RemoteRef[]> {
  if (remote.version === 0) return remote.refs.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)));
  const lines = ['command=ls-refs', 'agent=hawser/1', 'object-format=sha1', delimiter, 'peel', 'symrefs'];
  const body = encodePackets([...lines, ...prefixes.map((prefix) => `ref-prefix ${prefix}`), flush]);
  const answer = await post(context, remote, body);
  const refs: RemoteRef[] = [];
  const count = refCounter(context.limits);
  for await (const packet of readPackets(answer.body)) {
    if (typeof packet === 'string') continue;
    const line = textOf(packet);
    failOnError(line);
    count(packet.length);
    const ref = parseRefLine(line);
    if (ref !== undefined) refs.push(ref);
  }
  return refs;
}

/** Sends a body to `git-upload-pack`; answers only with a success in Git's own content type. */
export async function post(context: RemoteContext, remote: Remote, body: Buffer): Promise<HttpAnswer> {
  const answer = await context.transport.send({
    url: new URL(`${remote.base.href}/git-upload-pack`),
    headers: {
      ...headersFor(context.access),
      'content-type': 'application/x-git-upload-pack-request',
      accept: 'application/x-git-upload-pack-result',
    },
    body,
  });
  return accepted(context.access, remote.base, answer, 'application/x-git-upload-pack-result');
}

/** Throws what the host said in an `ERR` packet or on the error channel. */
export function failOnError(line: string): void {
  if (!line.startsWith('ERR ')) return;
  const said = printable(line.slice(4));
  if (/not our ref|not a valid object|could not find|no such ref/i.test(said)) {
    throw new HawserError('revision-not-found', `The Git host does not have this commit (any more): ${said}`);
  }
  throw new HawserError('repository-unreachable', `The Git host refused: ${said}`, { retry: 'later' });
}

/** Text of a remote, fit for a message: printable, at most 200 characters. */
export function printable(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

async function parseGreeting(context: RemoteContext, base: URL, answer: HttpAnswer): Promise<Remote> {
  accepted(context.access, base, answer, 'application/x-git-upload-pack-advertisement');
  const lines: string[] = [];
  const count = refCounter(context.limits);
  for await (const packet of readPackets(answer.body)) {
    if (typeof packet === 'string') continue;
    const line = textOf(packet);
    if (line.startsWith('# service=') || line === 'version 1') continue;
    failOnError(line);
    count(packet.length);
    lines.push(line);
  }
  const [first = '', ...rest] = lines;
  return first === 'version 2' ? remoteV2(base, rest) : remoteV0(base, first, rest);
}

function remoteV2(base: URL, lines: readonly string[]): Remote {
  const capabilities = new Map(lines.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]));
  requireSha1(capabilities.get('object-format') ?? 'sha1');
  if (!capabilities.has('fetch') || !capabilities.has('ls-refs')) {
    throw new HawserError('unsupported', `${base.host} does not offer to fetch from this repository`);
  }
  const filter = (capabilities.get('fetch') ?? '').split(' ').includes('filter');
  return { base, version: 2, filter, anyObject: true, capabilities: [], refs: [] };
}

function remoteV0(base: URL, first: string, rest: readonly string[]): Remote {
  const zero = first.indexOf('\0');
  const capabilities = zero < 0 ? [] : first.slice(zero + 1).split(' ');
  const format = capabilities.find((capability) => capability.startsWith('object-format='));
  requireSha1(format?.slice('object-format='.length) ?? 'sha1');
  const refs = parseAdvertisedRefs([zero < 0 ? first : first.slice(0, zero), ...rest], capabilities);
  // Without objects by id a filter would leave files out for good.
  return { base, version: 0, filter: false, anyObject: false, capabilities, refs };
}

function requireSha1(format: string): void {
  if (format === 'sha1') return;
  throw new HawserError('unsupported', `The repository's object format is ${printable(format)}; only sha1 is read`);
}

/** Credentials go to the registered origin only (NT-26). */
function redirectedBase(from: URL, location: string, redirects: number): URL {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to === undefined || to.origin !== from.origin || redirects >= REDIRECTS || !to.pathname.endsWith('/info/refs')) {
    throw new HawserError('repository-unreachable', `${from.host} redirects to ${printable(to?.origin ?? 'nowhere')}`, {
      hint: 'Register the address that the repository has now; redirects to other hosts are not followed.',
    });
  }
  const base = new URL(to.origin);
  base.pathname = to.pathname.slice(0, -'/info/refs'.length);
  return base;
}

function headersFor({ credentials }: RepositoryAccess): Record<string, string> {
  const headers: Record<string, string> = { 'git-protocol': 'version=2' };
  if (credentials?.bearerToken !== undefined && credentials.bearerToken !== '') {
    headers['authorization'] = `Bearer ${credentials.bearerToken}`;
  } else if (credentials?.password !== undefined && credentials.password !== '') {
    const pair = `${credentials.username ?? 'git'}:${credentials.password}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return headers;
}

function accepted({ credentials }: RepositoryAccess, base: URL, answer: HttpAnswer, contentType: string): HttpAnswer {
  const given = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim();
  if (answer.status === 200 && given === contentType) return answer;
  answer.discard();
  throw refusal(base, answer.status, answer.headers, credentials !== undefined);
}

/** Why an answer is none: FT-22, FT-23. */
function refusal(base: URL, status: number, headers: IncomingHttpHeaders, hasCredentials: boolean): HawserError {
  const retryAfterSeconds = retryAfter(headers);
  const isThrottled = status === 429 || (status === 403 && (retryAfterSeconds !== undefined || isSpent(headers)));
  const data = { status, host: base.host, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  if (!isThrottled && [401, 403, 404, 407].includes(status)) {
    const what =
      status === 404
        ? 'has no such repository, or shows it to others only'
        : hasCredentials
          ? 'refuses these credentials'
          : 'wants credentials, and none are registered for this repository';
    return new HawserError('repository-auth-failed', `${base.host} ${what} (${status})`, {
      data,
      hint: 'Check the URL, and that the token is valid and may read this repository.',
    });
  }
  const given = printable(headers['content-type'] ?? 'no content type');
  const what = status === 200 ? `answered with ${given} instead of Git's protocol` : `answered with status ${status}`;
  const hint =
    status === 200
      ? 'Check that the URL is that of a Git repository; a maintenance or login page answers like this.'
      : '';
  return new HawserError('repository-unreachable', `${base.host} ${what}`, {
    retry: 'later',
    data,
    ...(hint === '' ? {} : { hint }),
  });
}

function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  const seconds = Math.ceil((Date.parse(value) - Date.parse(headers.date ?? '')) / 1000);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function isSpent(headers: IncomingHttpHeaders): boolean {
  return headers['x-ratelimit-remaining'] === '0';
}

function refCounter(limits: GitLimits): (bytes: number) => void {
  let refs = 0;
  let total = 0;
  return (bytes) => {
    refs += 1;
    total += bytes;
    if (refs <= limits.refs && total <= limits.refBytes) return;
    throw new HawserError('source-too-large', `The repository advertises more than ${limits.refs} refs (LIM-04)`, {
      data: { limit: 'LIM-04', refs: limits.refs, bytes: limits.refBytes },
    });
  };
}
