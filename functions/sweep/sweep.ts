import type { Bell } from '#shared/ports/bell.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { Hint } from '#shared/messages/hint.ts';
import { clearDirty, listDirty } from '#shared/state/dirty.ts';
import { organisationKey, repositoryKey } from '#shared/state/keys.ts';
import { listClusters, listRepositories } from '#shared/state/registry.ts';
import { updateRow } from '#shared/state/update.ts';
import { collectGarbage } from './collect-garbage.ts';
import { redriveWhenDue } from './redrive.ts';

export interface SweepDeps {
  store: StateStore;
  chunkStore: ChunkStore;
  hints: Queue;
  /** By name; absent: dead letters are people's alone. */
  queues?: ReadonlyMap<string, Queue>;
  bell: Bell;
  clock: Clock;
  log: Log;
  /** Seconds between two polls of a repository; jitter of up to a third comes on top (TGT-07). */
  pollSeconds: number;
}

/** When a repository is polled next, and was last: the row `POLL`. Both in ms since 1970. */
interface Poll {
  nextAt: number;
  at?: number;
}

/** Garbage is looked for this often. */
const garbageEveryMs = 3600_000;

/**
 * Runs every minute: sends the hints that webhooks could not send, and those for repositories that were not polled for a
 * while, so that lost webhooks cost latency and nothing else (INV-02); tells pages about agents that fell silent; sends dead
 * letters again that died of an outage; and, once an hour, drops what nothing needs any more.
 */
export async function sweep(deps: SweepDeps, organisation: string): Promise<{ polled: number; removed: number }> {
  const now = deps.clock.now();
  await hintDirty(deps, organisation);
  let polled = 0;
  for (const repository of await listRepositories(deps.store, organisation)) {
    let due = false;
    await updateRow<Poll>(deps.store, repositoryKey(organisation, repository.id), 'POLL', (poll) => {
      due = poll === undefined || poll.nextAt <= now;
      const wait = deps.pollSeconds * (1 + Math.random() / 3) * 1000;
      return due ? { nextAt: now + wait, at: now } : undefined;
    });
    if (!due) continue;
    const at = new Date(now).toISOString();
    const hint: Hint = {
      organisation,
      repository: repository.id,
      reason: 'poll',
      trace: `poll-${repository.id}-${now}`,
      at,
    };
    await deps.hints.send([JSON.stringify(hint)], { group: organisation });
    polled += 1;
  }
  // A silent agent sends nothing that could wake the pages: the sweep does.
  for (const cluster of await listClusters(deps.store, organisation))
    deps.bell.ring(`organisation:${organisation}`, `cluster:${cluster.id}`);
  await redriveWhenDue(deps, organisation);
  const removed = await collectWhenDue(deps, organisation, now);
  return { polled, removed };
}

/** Repositories whose webhook could not reach the queue (FT-04): a flag is taken away only once its hint is there. */
async function hintDirty(deps: SweepDeps, organisation: string): Promise<void> {
  for (const row of await listDirty(deps.store, organisation)) {
    const hint: Hint = { organisation, reason: 'push', ...row.value };
    await deps.hints.send([JSON.stringify(hint)], { group: organisation });
    await clearDirty(deps.store, row);
  }
}

async function collectWhenDue(deps: SweepDeps, organisation: string, now: number): Promise<number> {
  let due = false;
  await updateRow<Poll>(deps.store, organisationKey(organisation), 'GARBAGE', (row) => {
    due = row !== undefined && row.nextAt <= now;
    return row === undefined || due ? { nextAt: now + garbageEveryMs } : undefined;
  });
  if (!due) return 0;
  const removed = await collectGarbage(deps, organisation);
  deps.log.info({ organisation, removed }, 'dropped what nothing needs any more');
  return removed;
}
