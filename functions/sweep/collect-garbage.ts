import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';
import { rootOf, type Head } from '#shared/state/heads.ts';
import { applicationKey, blocksKey, clusterKey, inputsKey, organisationKey } from '#shared/state/keys.ts';
import { getApplication, listClusters } from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';

/** Generations that are kept whatever their age. */
const generationsKept = 10;
const historyMs = 30 * 24 * 3600_000;
/** Bundles hold a tenant's source: they go soon (INV-36). Outputs are found again through `OUTPUT` rows, which expire by themselves. */
const bundleMs = 3600_000;
const outputMs = 8 * 24 * 3600_000;

/** A summary without its application is left over from forgetting it, once it is that old. */
const leftoverMs = 3600_000;

/**
 * Drops history past its time, then chunks that neither a head nor a kept generation names (INV-14). Only chunks older
 * than the history's time are looked at. Whoever publishes or brings back a generation writes its chunks again before it
 * names them: either that comes before a removal, which then spares them by their age, or after it, and they are new.
 */
export async function collectGarbage(
  deps: { store: StateStore; chunkStore: ChunkStore; clock: Clock },
  organisation: string,
): Promise<number> {
  const now = deps.clock.now();
  const clusters = await listClusters(deps.store, organisation);
  const old = new Map<string, string[]>();
  for (const { id } of clusters)
    old.set(id, await chunksOlderThan(deps.chunkStore, blocksKey(organisation, id), now - historyMs));
  const reachable = await trimHistories(deps.store, organisation, now);
  let removed = 0;
  for (const { id } of clusters) {
    const named = reachable.get(id) ?? new Set();
    for await (const head of eachRow<Head>(deps.store, clusterKey(organisation, id), 'APP#'))
      keep(named, rootOf(head.value).chunks, head.value.declared);
    const dead = (old.get(id) ?? []).filter((digest) => !named.has(digest));
    await removeOld(deps.chunkStore, blocksKey(organisation, id), dead, now - historyMs);
    removed += dead.length;
  }
  return removed + (await dropInputs(deps, organisation, now));
}

/** Removes history rows past their time; returns by cluster every digest that a remaining row names. */
async function trimHistories(store: StateStore, organisation: string, now: number): Promise<Map<string, Set<string>>> {
  const reachable = new Map<string, Set<string>>();
  for await (const summary of eachRow<StoredSummary>(store, organisationKey(organisation), 'APP#')) {
    const { id, updatedAt } = summary.value;
    if (Date.parse(updatedAt) < now - leftoverMs && (await getApplication(store, organisation, id)) === undefined)
      await store.remove(summary.partition, summary.sort, { revision: summary.revision });
    const partition = applicationKey(organisation, id);
    const rows: Row<HistoryRow>[] = [];
    for await (const row of eachRow<HistoryRow>(store, partition, 'HISTORY#')) rows.push(row);
    for (const [index, row] of rows.toReversed().entries()) {
      const { publishedAt, cluster, content, declared } = row.value;
      if (index >= generationsKept && Date.parse(publishedAt) < now - historyMs) {
        await store.remove(partition, row.sort);
        continue;
      }
      // An application may have moved from one cluster to another: its older generations lie in the former.
      const named = reachable.get(cluster) ?? new Set();
      keep(named, content.chunks, declared);
      reachable.set(cluster, named);
    }
  }
  return reachable;
}

function keep(named: Set<string>, chunks: readonly string[], declared: string | undefined): void {
  for (const digest of chunks) named.add(digest);
  if (declared !== undefined) named.add(declared);
}

interface HistoryRow {
  publishedAt: string;
  cluster: string;
  content: { chunks: string[] };
  declared?: string;
}

async function removeOld(store: ChunkStore, partition: string, dead: string[], before: number): Promise<void> {
  if (dead.length > 0) await store.remove(partition, dead, { writtenBefore: before });
}

async function dropInputs(
  deps: { store: StateStore; chunkStore: ChunkStore },
  organisation: string,
  now: number,
): Promise<number> {
  const partition = inputsKey(organisation);
  const old = await chunksOlderThan(deps.chunkStore, partition, now - bundleMs);
  const outputs = new Set<string>();
  for await (const row of eachRow<{ output: string }>(deps.store, partition, 'OUTPUT#')) outputs.add(row.value.output);
  const oldest = new Set(await chunksOlderThan(deps.chunkStore, partition, now - outputMs));
  const dead = old.filter((digest) => !outputs.has(digest) || oldest.has(digest));
  await removeOld(deps.chunkStore, partition, dead, now - bundleMs);
  return dead.length;
}

async function chunksOlderThan(store: ChunkStore, partition: string, before: number): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(partition, after);
    for (const chunk of page.chunks) if (chunk.writtenAt < before) found.push(chunk.digest);
    after = page.next;
  } while (after !== undefined);
  return found;
}
