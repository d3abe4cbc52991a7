import { HawserError } from '../../errors.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
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

/** A way to one repository's `git-upload-pack`, with what is needed to be let in. */
export interface Connection {
  /** What the host says first, and where requests go from then on. */
  greet(): Promise<{ base: URL; body: AsyncIterable<Buffer> }>;
  /** Sends one request; the answer is to be read to its end, or left in the middle. */
  request(remote: Remote, body: Buffer): Promise<AsyncIterable<Buffer>>;
}

/** What every request to a repository needs. */
export interface RemoteContext {
  connection: Connection;
  limits: GitLimits;
  access: RepositoryAccess;
}

/** Asks the host for its capabilities. Errors as the port says. */
export async function discover({ connection, limits }: RemoteContext): Promise<Remote> {
  const { base, body } = await connection.greet();
  const lines: string[] = [];
  const count = refCounter(limits);
  for await (const packet of readPackets(body)) {
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

/** Reads refs that start with one of the prefixes; v0 hosts give what they gave with the greeting. */
export async function listRefs(
  context: RemoteContext,
  remote: Remote,
  prefixes: readonly string[],
): Promise<RemoteRef[]> {
  if (remote.version === 0) return remote.refs.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)));
  const lines = ['command=ls-refs', 'agent=hawser/1', 'object-format=sha1', delimiter, 'peel', 'symrefs'];
  const body = encodePackets([...lines, ...prefixes.map((prefix) => `ref-prefix ${prefix}`), flush]);
  const answer = await context.connection.request(remote, body);
  const refs: RemoteRef[] = [];
  const count = refCounter(context.limits);
  for await (const packet of readPackets(answer)) {
    if (typeof packet === 'string') continue;
    const line = textOf(packet);
    failOnError(line);
    count(packet.length);
    const ref = parseRefLine(line);
    if (ref !== undefined) refs.push(ref);
  }
  return refs;
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
