import type {
  ApplicationDetail,
  ApplicationList,
  ApplicationSummary,
  ClusterView,
  StreamEvent,
} from '#shared/messages/api.ts';

/** What a batch of stream events comes to: the newest word on each application and cluster. */
export interface StreamBatch {
  applications: ReadonlyMap<string, ApplicationSummary>;
  removed: ReadonlySet<string>;
  clusters: ReadonlyMap<string, ClusterView>;
}

/** Folds events in their order; a later event about the same thing replaces the earlier. */
export function foldEvents(events: readonly StreamEvent[]): StreamBatch {
  const applications = new Map<string, ApplicationSummary>();
  const removed = new Set<string>();
  const clusters = new Map<string, ClusterView>();
  for (const event of events) {
    switch (event.type) {
      case 'application':
        applications.set(event.application.id, event.application);
        removed.delete(event.application.id);
        break;
      case 'removed':
        removed.add(event.id);
        applications.delete(event.id);
        break;
      case 'cluster':
        clusters.set(event.cluster.id, event.cluster);
        break;
    }
  }
  return { applications, removed, clusters };
}

/**
 * Puts changed applications in their place in the loaded pages and takes removed ones out.
 * Order, counts and who belongs to a filter are the service's to say: the caller asks again where `asks` is true.
 * Pages that nothing changes in stay the same objects.
 */
export function mergePages(
  pages: readonly ApplicationList[],
  batch: StreamBatch,
): { pages: ApplicationList[]; asks: boolean } {
  let seen = 0;
  let asks = batch.removed.size > 0;
  const merged = pages.map((page) => {
    let changed = false;
    const items: ApplicationSummary[] = [];
    for (const item of page.items) {
      if (batch.removed.has(item.id)) {
        changed = true;
        continue;
      }
      const next = batch.applications.get(item.id);
      if (next === undefined) {
        items.push(item);
        continue;
      }
      seen += 1;
      changed = true;
      if (movesInList(item, next)) asks = true;
      items.push(next);
    }
    return changed ? { ...page, items } : page;
  });
  if (seen < batch.applications.size) asks = true;
  return { pages: merged, asks };
}

/** The detail with the fields that the summary carries too; the rest waits for the next answer. */
export function mergeDetail(detail: ApplicationDetail, summary: ApplicationSummary): ApplicationDetail {
  const kept: Partial<ApplicationDetail> = { ...detail };
  // Optional fields that the new summary no longer has are gone, not unchanged.
  for (const field of [
    'healthMessage',
    'revision',
    'generation',
    'commit',
    'message',
    'operation',
    'parent',
  ] as const) {
    delete kept[field];
  }
  return { ...kept, ...summary } as ApplicationDetail;
}

/** True where a change may alter counts, order or membership of a filtered list. */
function movesInList(before: ApplicationSummary, after: ApplicationSummary): boolean {
  return (
    before.health !== after.health ||
    before.sync !== after.sync ||
    before.cluster !== after.cluster ||
    before.project !== after.project ||
    before.name !== after.name ||
    before.updatedAt !== after.updatedAt
  );
}
