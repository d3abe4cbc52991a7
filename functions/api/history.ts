import type { Application } from '#shared/domain/application.ts';
import type { HistoryEntry } from '#shared/domain/status.ts';
import type { HistoryView } from '#shared/messages/api.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { readHead } from '#shared/state/heads.ts';
import { applicationKey } from '#shared/state/keys.ts';

/** Newest generations first (at most 50), with the one marked whose content is desired now. */
export async function readHistory(
  store: StateStore,
  organisation: string,
  application: Application,
): Promise<HistoryView[]> {
  const [{ rows }, head] = await Promise.all([
    store.query<HistoryEntry>(applicationKey(organisation, application.id), {
      prefix: 'HISTORY#',
      descending: true,
      limit: 50,
    }),
    readHead(store, organisation, application.cluster, application.id),
  ]);
  const newest = rows.find((row) => row.value.inputDigest === head?.value.inputDigest);
  return rows.map(({ value }) => ({
    id: value.id,
    generation: value.generation,
    revision: value.revision,
    ...(value.commit === undefined ? {} : { commit: value.commit }),
    publishedAt: value.publishedAt,
    ...(value.deployedAt === undefined ? {} : { deployedAt: value.deployedAt }),
    initiatedBy: value.initiatedBy,
    objectCount: value.objectCount,
    ...(value.rollbackOf === undefined ? {} : { rollbackOf: value.rollbackOf }),
    current: value.generation === newest?.value.generation,
  }));
}
