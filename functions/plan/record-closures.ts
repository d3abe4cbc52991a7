import { canonicalJson } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { ClosureRow } from '#shared/state/declare-application.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { updateIndex, type FolderListing } from './closure-index.ts';
import { normaliseSelector } from './selector.ts';
import type { Context, Planned } from './plan-context.ts';

/** Writes down what each application reads, in its own row and in the index, where that has changed. */
export async function recordClosures(context: Context, batch: Planned[]): Promise<void> {
  const { deps, request } = context;
  const changesBySelector = new Map<
    string,
    {
      where: { organisation: string; repository: string; selector: string };
      changes: Parameters<typeof updateIndex>[2][number][];
    }
  >();
  await inParallel(batch, 16, async (planned) => {
    const before = planned.closureRow?.value;
    const listed = planned.failure === undefined ? listingsOf(planned) : fallbackListings(planned);
    const next: ClosureRow = { specRevision: planned.specRevision, inputDigest: '', listed };
    if (before !== undefined && canonicalJson(before) === canonicalJson(next)) return;
    for (const key of new Set(
      [...(before?.listed ?? []), ...listed].map((item) => `${item.repository} ${item.selector}`),
    )) {
      const is = (item: ClosureRow['listed'][number]) => `${item.repository} ${item.selector}` === key;
      const [repository = '', ...selector] = key.split(' ');
      const entry = changesBySelector.get(key) ?? {
        where: { organisation: request.organisation, repository, selector: selector.join(' ') },
        changes: [],
      };
      entry.changes.push({
        application: planned.application.id,
        before: before?.listed.find(is)?.folders ?? [],
        after: listed.find(is)?.folders ?? [],
      });
      changesBySelector.set(key, entry);
    }
    const partition = applicationKey(request.organisation, planned.application.id);
    await deps.store.putMany([{ partition, sort: sortKeys.closure, revision: request.ticket, value: next }]);
  });
  for (const { where, changes } of changesBySelector.values()) await updateIndex(deps.store, where, changes);
}

function listingsOf(planned: Planned): ClosureRow['listed'] {
  return planned.application.sources.map((source, index) => {
    const closure = planned.closures[index];
    const folders = new Map<string, boolean>();
    for (const file of closure?.files ?? []) folders.set(file.path.split('/').slice(0, -1).join('/'), false);
    for (const folder of closure?.folders ?? [])
      folders.set(folder.path, folder.recursive || folders.get(folder.path) === true);
    return {
      repository: source.repository,
      selector: normaliseSelector(source.revision),
      folders: [...folders]
        .map(([path, recursive]) => ({ path, recursive }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    };
  });
}

/** An application that cannot be read must be looked at when anything at or around its path changes: that may be the mend. */
function fallbackListings(planned: Planned): ClosureRow['listed'] {
  const known = planned.closureRow?.value.listed ?? [];
  return planned.application.sources.map((source) => {
    const selector = normaliseSelector(source.revision);
    const before =
      known.find((item) => item.repository === source.repository && item.selector === selector)?.folders ?? [];
    const own: FolderListing = { path: source.path, recursive: true };
    const parent: FolderListing = { path: source.path.split('/').slice(0, -1).join('/'), recursive: false };
    const folders = new Map([...before, parent, own].map((folder) => [folder.path, folder] as const));
    return { repository: source.repository, selector, folders: [...folders.values()] };
  });
}
