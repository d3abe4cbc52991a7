import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { rootOf, type Head } from '#shared/state/heads.ts';
import { applicationKey, blocksKey, clusterKey, inputsKey, organisationKey } from '#shared/state/keys.ts';
import { listClusters } from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';

/** Generations that are kept whatever their age. */
const generationsKept = 10;
const historyMs = 30 * 24 * 3600_000;
/** Bundles hold a tenant's source: they go soon (INV-36). Outputs are found again through `OUTPUT` rows, which expire by themselves. */
const bundleMs = 3600_000;
const outputMs = 8 * 24 * 3600_000;

/**
 * Drops history past its time, then chunks that neither a head nor a kept generation names (INV-14). Only chunks older
 * than the history's time are looked at, so nothing that a publisher is just writing can be hit; reachability is read
 * after the candidates, so a chunk that became reachable again meanwhile stays.
 */
export async function collectGarbage(
  deps: { store: StateStore; chunkStore: ChunkStore; clock: Clock },
  organisation: string,
): Promise<number> {
  const now = deps.clock.now();
  let removed = 0;
  for (const cluster of await listClusters(deps.store, organisation)) {
    const old = await chunksOlderThan(deps.chunkStore, blocksKey(organisation, cluster.id), now - historyMs);
    const reachable = await trimHistories(deps.store, organisation, cluster.id, now);
    const dead = old.filter((digest) => !reachable.has(digest));
    if (dead.length > 0) await deps.chunkStore.remove(blocksKey(organisation, cluster.id), dead);
    removed += dead.length;
  }
  return removed + (await dropInputs(deps, organisation, now));
}

/** Removes history rows past their time; returns every digest that a head or a remaining row names. */
async function trimHistories(
  store: StateStore,
  organisation: string,
  cluster: string,
  now: number,
): Promise<Set<string>> {
  const reachable = new Set<string>();
  for await (const summary of eachRow<StoredSummary>(store, organisationKey(organisation), 'APP#')) {
    if (summary.value.cluster !== cluster) continue;
    const partition = applicationKey(organisation, summary.value.id);
    const rows = [];
    for await (const row of eachRow<{ publishedAt: string; content: { chunks: string[] } }>(
      store,
      partition,
      'HISTORY#',
    ))
      rows.push(row);
    for (const [index, row] of rows.reverse().entries()) {
      const expired = index >= generationsKept && Date.parse(row.value.publishedAt) < now - historyMs;
      if (expired) await store.remove(partition, row.sort);
      else for (const digest of row.value.content.chunks) reachable.add(digest);
    }
  }
  for await (const head of eachRow<Head>(store, clusterKey(organisation, cluster), 'APP#')) {
    for (const digest of rootOf(head.value).chunks) reachable.add(digest);
  }
  return reachable;
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
  if (dead.length > 0) await deps.chunkStore.remove(partition, dead);
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
