import type { Bell } from '#shared/ports/bell.ts';
import { ClusterCommand } from '#shared/messages/cluster-command.ts';

/** Commands on their way to agents, between two polls. Losing one costs one answer (see `ClusterCommand`). */
export interface Mailbox {
  /** On its way once resolved. */
  post(organisation: string, cluster: string, command: ClusterCommand): Promise<void>;
  /** What has come since the last time, oldest first. */
  take(organisation: string, cluster: string): Promise<ClusterCommand[]>;
  /** Resolves at the next ring for this cluster, or when time is up or the caller has gone. */
  wait(organisation: string, cluster: string, milliseconds: number, signal?: AbortSignal): Promise<void>;
}

const kept = 50;

/** A mailbox in memory that listens to the bell from an agent's first poll on. */
export function createMailbox(bell: Bell): Mailbox {
  const boxes = new Map<string, ClusterCommand[]>();
  const boxOf = (channel: string): ClusterCommand[] => {
    const known = boxes.get(channel);
    if (known) return known;
    const box: ClusterCommand[] = [];
    boxes.set(channel, box);
    bell.listen(channel, (payload) => {
      box.push(...commandsOf(payload));
      if (box.length > kept) box.splice(0, box.length - kept);
    });
    return box;
  };
  return {
    async post(organisation, cluster, command) {
      boxOf(channelOf(organisation, cluster));
      bell.ring(channelOf(organisation, cluster), JSON.stringify(command));
    },
    async take(organisation, cluster) {
      return boxOf(channelOf(organisation, cluster)).splice(0);
    },
    wait(organisation, cluster, milliseconds, signal) {
      return waitForRing(bell, channelOf(organisation, cluster), milliseconds, signal);
    },
  };
}

/** The command of a ring's payload; none for what is no command, and for a wake-up: it says nothing that reading HEAD does not. */
export function commandsOf(payload: string | undefined): ClusterCommand[] {
  if (payload === undefined) return [];
  try {
    const parsed = ClusterCommand.safeParse(JSON.parse(payload));
    return parsed.success && parsed.data.type !== 'wake' ? [parsed.data] : [];
  } catch {
    return [];
  }
}

/** Resolves at the next ring of a channel, after the time, or when the signal aborts. */
export function waitForRing(bell: Bell, channel: string, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    const stop = bell.listen(channel, end);
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
  });
}

function channelOf(organisation: string, cluster: string): string {
  return `cluster:${organisation}/${cluster}`;
}
