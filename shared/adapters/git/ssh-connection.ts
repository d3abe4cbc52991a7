import type { ClientChannel } from 'ssh2';

import { sha256 } from '../../domain/digest.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import { sshPath } from './address.ts';
import { knownKeys } from './known-hosts.ts';
import type { GitLimits } from './limits.ts';
import { cutShort, lengthOfPacket } from './pkt-line.ts';
import { publishedHostKeys } from './published-host-keys.ts';
import { printable } from './remote.ts';
import type { Connection } from './remote.ts';
import type { SshTarget } from './ssh-client.ts';
import { createSshPool } from './ssh-pool.ts';
import type { OpenedChannel } from './ssh-pool.ts';

export interface SshOptions {
  clock: Clock;
  limits: Pick<GitLimits, 'requestSeconds' | 'idleSeconds' | 'refBytes'>;
  denyPrivateAddresses: boolean;
}

/** Ways to repositories over ssh; connections are kept for a while and shared by those who come with the same key. */
export interface SshHosts {
  connect(access: RepositoryAccess, url: URL): Connection;
  /** Bytes of Git's protocol received since the start. */
  received(): number;
}

/** Every channel begins with the host's greeting; a request is answered behind it. */
type Part = 'greeting' | 'answer';

interface Asked {
  target: SshTarget;
  key: string;
  command: string;
}

const flush = Buffer.from('0000');

/** `git-upload-pack` over channels of ssh (git-scm.com/docs/pack-protocol), one for each request. */
export function createSshHosts(options: SshOptions): SshHosts {
  const { denyPrivateAddresses, limits } = options;
  const pool = createSshPool({ denyPrivateAddresses, seconds: limits.idleSeconds });
  let received = 0;

  async function* exchange(asked: Asked, body: Buffer, part: Part): AsyncGenerator<Buffer, void, undefined> {
    const watch = createWatch(options);
    const opening = pool.open(asked.target, asked.key, asked.command);
    try {
      const { channel } = await watch.orFail(opening);
      channel.end(body);
      let count = 0;
      for await (const chunk of partOf(readChannel(channel, watch, asked.target), part, limits.refBytes)) {
        count += chunk.length;
        received += chunk.length;
        yield chunk;
      }
      if (count === 0) throw cutShort();
    } finally {
      // A host that does not answer in time is given a new connection next.
      if (watch.hasFailed()) pool.drop(asked.key);
      watch.stop();
      void closeOpened(opening);
    }
  }

  return {
    connect(access, url) {
      const target = targetOf(access, url);
      // Nobody shares a connection who has not the same key, and the same idea of whom to trust.
      const sharing = [access.organisation, url.host, url.username, access.credentials, access.knownHosts ?? ''];
      const command = `git-upload-pack ${quote(sshPath(access.url))}`;
      const asked = { target, key: sha256(JSON.stringify(sharing)), command };
      return {
        greet: () => Promise.resolve({ base: url, body: exchange(asked, flush, 'greeting') }),
        // In protocol 2 a flush ends the session; in 0 the request itself does.
        request({ version }, body) {
          const whole = version === 2 ? Buffer.concat([body, flush]) : body;
          return Promise.resolve(exchange(asked, whole, 'answer'));
        },
      };
    },
    received: () => received,
  };
}

async function closeOpened(opening: Promise<OpenedChannel>): Promise<void> {
  try {
    const { channel, release } = await opening;
    channel.close();
    release();
  } catch {
    // There is none.
  }
}

function targetOf(access: RepositoryAccess, url: URL): SshTarget {
  const { credentials } = access;
  if (credentials?.kind !== 'ssh') {
    const what = credentials === undefined ? 'none is registered' : 'something else is registered';
    throw new HawserError(
      'repository-auth-failed',
      `${url.host} is read with an SSH key, and ${what} for this repository`,
      {
        hint: 'Register the repository with `hawser repo add URL --ssh-private-key-path FILE`.',
      },
    );
  }
  const port = url.port === '' ? 22 : Number(url.port);
  const texts = [
    ...publishedHostKeys.flatMap(({ lines }) => lines),
    ...(credentials.knownHosts === undefined ? [] : [credentials.knownHosts]),
    ...(access.knownHosts === undefined ? [] : [access.knownHosts]),
  ];
  const host = url.hostname;
  return { host, port, user: decodeURIComponent(url.username), credentials, known: knownKeys(texts, host, port) };
}

/** For the shell that the host may have: one word, whatever is in it (NT-25). */
function quote(path: string): string {
  return `'${path.replaceAll(/['!]/g, (sign) => `'\\${sign}'`)}'`;
}

interface Watch {
  touch(): void;
  stop(): void;
  hasFailed(): boolean;
  /** What the promise gives, unless the time is up before. */
  orFail<T>(promise: Promise<T>): Promise<T>;
}

/** Notices that a host is idle or slow. */
function createWatch({ clock, limits }: SshOptions): Watch {
  const stopped = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  let hasFailed = false;
  const idle = setTimeout(() => fail(limits.idleSeconds, 'sent nothing for'), limits.idleSeconds * 1000);
  void failLate();
  async function failLate(): Promise<void> {
    await clock.sleep(limits.requestSeconds * 1000, stopped.signal);
    if (!stopped.signal.aborted) fail(limits.requestSeconds, 'was not done after');
  }
  function fail(seconds: number, what: string): void {
    hasFailed = true;
    failure.reject(
      new HawserError('repository-unreachable', `The Git host ${what} ${seconds} s`, {
        retry: 'later',
        data: { seconds },
      }),
    );
  }
  return {
    touch: () => void idle.refresh(),
    stop() {
      clearTimeout(idle);
      stopped.abort();
    },
    hasFailed: () => hasFailed,
    orFail: (promise) => Promise.race([promise, failure.promise]),
  };
}

/** What comes on the channel; where `git-upload-pack` failed, the reason that it wrote to its other stream. */
async function* readChannel(
  channel: ClientChannel,
  watch: Watch,
  target: SshTarget,
): AsyncGenerator<Buffer, void, undefined> {
  let said = '';
  let code: number | null | undefined;
  const closed = Promise.withResolvers<void>();
  channel.once('exit', (given: number | null) => (code = given));
  channel.once('close', () => closed.resolve());
  // Errors reach the reader by the loop; one that comes after it must not be unhandled.
  channel.on('error', () => closed.resolve());
  channel.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 4096) said += chunk.toString();
  });
  const chunks = (channel as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await watch.orFail(chunks.next());
      if (step.done === true) break;
      watch.touch();
      yield step.value;
    }
    await watch.orFail(closed.promise);
  } catch (error) {
    throw error instanceof HawserError ? error : cutShort();
  }
  if (code !== 0) throw failed(target, code, said);
}

/** The packets up to the first flush, or what comes after them. */
async function* partOf(
  bytes: AsyncIterable<Buffer>,
  part: Part,
  maxGreeting: number,
): AsyncGenerator<Buffer, void, undefined> {
  let pending: Buffer = Buffer.alloc(0);
  let greeting = 0;
  let hasFlushed = false;
  for await (const chunk of bytes) {
    if (hasFlushed) {
      if (part === 'answer') yield chunk;
      continue;
    }
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let at = 0;
    while (!hasFlushed && pending.length - at >= 4) {
      const length = lengthOfPacket(pending, at);
      if (length >= 4 && pending.length - at < length) break;
      at += Math.max(length, 4);
      hasFlushed = length === 0;
    }
    greeting += at;
    // Whoever reads a greeting counts it by itself, and each packet has a head of 4 bytes.
    if (part === 'answer' && greeting > maxGreeting * 2) throw cutShort();
    if (part === 'greeting' && at > 0) yield pending.subarray(0, at);
    pending = pending.subarray(at);
    if (part === 'answer' && hasFlushed && pending.length > 0) yield pending;
  }
  if (!hasFlushed && (pending.length > 0 || greeting > 0)) throw cutShort();
}

/** Hosts say in words what HTTP says by 401 and 404. */
function failed({ host }: SshTarget, code: number | null | undefined, said: string): HawserError {
  const shown = printable(said);
  const isRefusal =
    /not found|not exist|not appear|denied|permission|not allowed|unauthori[sz]ed|could not read|access rights|forbidden|suspended/i;
  if (isRefusal.test(said)) {
    return new HawserError('repository-auth-failed', `${host} has no such repository, or does not show it: ${shown}`, {
      data: { host },
      hint: 'Check the URL, and that the key may read this repository.',
    });
  }
  const what = shown === '' ? `ended with code ${code ?? 'none'}` : `says: ${shown}`;
  return new HawserError('repository-unreachable', `git-upload-pack on ${host} ${what}`, {
    retry: 'later',
    data: { host },
  });
}
