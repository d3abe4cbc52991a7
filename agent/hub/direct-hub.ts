import { inParallel } from '#shared/domain/parallel.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Hub, HubUpdate } from '#shared/ports/hub.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { SnapshotChunks } from '#shared/state/chunks.ts';
import { holePatienceMs, readChanges } from '#shared/state/heads.ts';
import { Assignment, knownCommand } from './handed-out.ts';
import { packAnswer, packReport, type MailHead } from './pack-mail.ts';

export interface DirectHubDeps {
  organisation: string;
  cluster: string;
  /** Read only: the rows of this cluster. */
  store: StateStore;
  snapshots: Pick<SnapshotChunks, 'read'>;
  /** Commands for this cluster. */
  wake: Pick<Queue, 'receive' | 'done'>;
  /** `AgentMail` to the service. */
  mail: Pick<Queue, 'send'>;
  clock: Clock;
  random: () => number;
}

/** Without any wake-up HEAD is read this often, give or take a fifth. */
const lookEveryMs = 60_000;
/** Longest that the queue is asked to wait. */
const longestWaitSeconds = 20;
/** Long enough to delete what was received. */
const visibilitySeconds = 30;
const readsAtOnce = 8;

/**
 * The Hub port without the API in between: rows and chunks are read where the service wrote them, commands come from the
 * cluster's own queue, reports and answers go to a queue. Nothing that is read is trusted: the agent verifies roots and chunks
 * as it does over HTTP. Errors are those of the ports.
 */
export function createDirectHub(deps: DirectHubDeps): Hub {
  const { organisation, cluster, clock } = deps;
  /** Taken from the queue, not handed over yet: a failed read in between must not lose them. */
  let commands: ClusterCommand[] = [];
  /** Version up to which HEAD was handed over; another `after` means that somebody else asks. */
  let known: number | undefined;
  let lookAt = -Infinity;

  /** What HEAD says; undefined where that is nothing new. */
  async function look(after: number): Promise<HubUpdate | undefined> {
    const changes = await readChanges(deps, organisation, cluster, after);
    const jitter = 0.8 + 0.4 * deps.random();
    // A publisher is between its two writes: it wakes us when it is done, and one that has died does not.
    lookAt = clock.monotonic() + (changes.unfinished ? holePatienceMs + 100 : lookEveryMs * jitter);
    // A cluster without anything stays at 0, and 0 asks for all: said once, that is nothing new.
    const same = changes.version === after && (changes.scope === 'changes' || known === after);
    known = changes.version;
    if (changes.resend) commands.push({ type: 'resend' });
    if (same && commands.length === 0) return undefined;
    const applications = changes.heads.flatMap(({ application, generation, root }) => {
      const parsed = Assignment.safeParse({ application, generation, root });
      return parsed.success ? [parsed.data] : [];
    });
    return { version: changes.version, scope: changes.scope, applications, commands: handOver() };
  }

  function handOver(): ClusterCommand[] {
    const taken = commands;
    commands = [];
    return taken;
  }

  /** Waits for commands; those are kept, and deleted from the queue. A version that we lack makes HEAD due. */
  async function listen(after: number, seconds: number, signal: AbortSignal | undefined): Promise<void> {
    const deliveries = await deps.wake.receive({
      max: 10,
      waitSeconds: Math.min(longestWaitSeconds, seconds),
      visibilitySeconds,
      ...(signal === undefined ? {} : { signal }),
    });
    for (const command of deliveries.flatMap(({ body }) => knownCommand(parse(body)))) {
      if (command.type !== 'wake') commands.push(command);
      else if (command.version > after) lookAt = -Infinity;
    }
    // What comes a second time is answered a second time: no reason to lose what was taken.
    await deps.wake.done(deliveries).catch(() => undefined);
  }

  function head(): MailHead {
    return { organisation, cluster, sentAt: new Date(clock.now()).toISOString() };
  }

  function isDue(after: number): boolean {
    return after !== known || clock.monotonic() >= lookAt;
  }

  return {
    async poll({ after, waitSeconds, signal }) {
      const update = isDue(after) ? await look(after) : undefined;
      if (update !== undefined) return update;
      if (commands.length === 0) {
        const untilLook = Math.max(0, lookAt - clock.monotonic()) / 1000;
        await listen(after, Math.min(waitSeconds, Math.ceil(untilLook)), signal);
      }
      const woken = clock.monotonic() >= lookAt && signal?.aborted !== true ? await look(after) : undefined;
      return woken ?? { version: after, scope: 'changes', applications: [], commands: handOver() };
    },

    async chunks(digests) {
      const texts = new Map<string, Uint8Array>();
      await inParallel(digests, readsAtOnce, async (digest) => {
        const text = await deps.snapshots.read(organisation, cluster, digest);
        if (text !== undefined) texts.set(digest, text);
      });
      return texts;
    },

    async report(report) {
      await send(await packReport(head(), report));
    },

    async answer(answer) {
      await send([await packAnswer(head(), answer)]);
    },
  };

  async function send(mails: readonly string[]): Promise<void> {
    await deps.mail.send(mails, { group: organisation });
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
