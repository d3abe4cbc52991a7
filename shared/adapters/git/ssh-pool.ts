import type { ClientChannel } from 'ssh2';

import { HawserError } from '../../errors.ts';
import { printable } from './remote.ts';
import { openSsh } from './ssh-client.ts';
import type { SshClient, SshTarget } from './ssh-client.ts';

/** A channel on a connection that others may share. */
export interface OpenedChannel {
  channel: ClientChannel;
  /** To be called once, when the channel is done with. */
  release: () => void;
}

/** Connections by who shares them; kept for a while after their last channel. */
export interface SshPool {
  /** Opens a channel; on a kept connection that the host has closed meanwhile, once more on a new one. */
  open(target: SshTarget, key: string, command: string): Promise<OpenedChannel>;
  /** The next channel is opened on a new connection. */
  drop(key: string): void;
}

interface Kept {
  client: Promise<SshClient>;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

const idleMs = 30_000;

/** `seconds` bounds connecting and logging in. */
export function createSshPool(options: { denyPrivateAddresses: boolean; seconds: number }): SshPool {
  const kept = new Map<string, Kept>();

  function lease(target: SshTarget, key: string): { entry: Kept; isNew: boolean } {
    const known = kept.get(key);
    const entry: Kept = known ?? { client: openSsh(target, options), users: 0, idle: undefined };
    kept.set(key, entry);
    clearTimeout(entry.idle);
    entry.users += 1;
    void whenOpen(entry, (client) => client.hold(true));
    return { entry, isNew: known === undefined };
  }

  function release(key: string, entry: Kept): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    void whenOpen(entry, (client) => entry.users === 0 && client.hold(false));
    entry.idle = setTimeout(() => forget(key, entry), idleMs).unref();
  }

  function forget(key: string, entry: Kept): void {
    if (kept.get(key) === entry) kept.delete(key);
    void whenOpen(entry, (client) => client.end());
  }

  return {
    async open(target, key, command) {
      for (;;) {
        const { entry, isNew } = lease(target, key);
        try {
          const client = await entry.client;
          if (!client.isOpen()) throw new Error('the connection was closed');
          return { channel: await client.exec(command), release: () => release(key, entry) };
        } catch (error) {
          release(key, entry);
          forget(key, entry);
          if (isNew) throw unreachable(target, error);
        }
      }
    },
    drop(key) {
      const entry = kept.get(key);
      if (entry !== undefined) forget(key, entry);
    },
  };
}

/** Whoever opened the connection hears of it where that failed. */
async function whenOpen(entry: Kept, act: (client: SshClient) => unknown): Promise<void> {
  try {
    act(await entry.client);
  } catch {
    // Told to those who wait for a channel.
  }
}

function unreachable({ host }: SshTarget, error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  const { message } = error as { message?: string };
  return new HawserError('repository-unreachable', `${host} opens no channel: ${printable(message ?? '')}`, {
    retry: 'later',
    data: { host },
  });
}
