import { HawserError } from '#shared/errors.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { Row } from '#shared/ports/state-store.ts';
import type { ClosureRow } from '#shared/state/declare-application.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { listFolders, unlistFolders, type FolderListing, type FormerFolder, type Listing } from './closure-index.ts';
import { normaliseSelector } from './selector.ts';
import type { Context, Planned } from './plan-context.ts';

type Listed = ClosureRow['listed'];

/** An application whose row and index entries have to change. */
interface Change {
  application: string;
  specRevision: number;
  before: Row<ClosureRow> | undefined;
  listed: Listed;
}

const mostRounds = 8;

/**
 * Writes down what each application reads, in its own row and in the index, where that has changed; returns those
 * whose entries in the index have.
 *
 * At every moment, and wherever a plan may die, the index holds all that an application's row names: first the row
 * announces the new folders beside the old (`pending`), then they are listed, then the row names only the new ones, then
 * the old ones are taken out, and that only while the row is still ours. A row that a later ticket wrote stays.
 */
export async function recordClosures(context: Context, batch: readonly Planned[]): Promise<string[]> {
  let changes = batch.flatMap((planned) => changeOf(context, planned) ?? []);
  const relisted = changes.filter(({ before, listed }) => !sameListing(before, listed)).map((one) => one.application);
  for (let round = 0; changes.length > 0; round += 1) {
    if (round === mostRounds)
      throw new HawserError('conflict', 'what applications read is being written down by too many at once', {
        retry: 'later',
      });
    const announced = await announce(context, changes);
    await eachSelector(context, announced, wantedFolders, (where, listings) =>
      listFolders(context.deps.store, where, listings),
    );
    const written = await confirm(context, announced);
    await takeOut(context, written);
    const finished = new Set(written.map((one) => one.application));
    changes = await reload(
      context,
      changes.filter((one) => !finished.has(one.application)),
    );
  }
  return relisted;
}

function changeOf(context: Context, planned: Planned): Change | undefined {
  const before = planned.closureRow;
  if ((before?.value.ticket ?? 0) > context.request.ticket) return undefined;
  const listed = planned.failure === undefined ? listingsOf(planned) : fallbackListings(planned);
  const change = { application: planned.application.id, specRevision: planned.specRevision, before, listed };
  const same = before?.value.specRevision === planned.specRevision && before.value.pending !== true;
  return same && sameListing(before, listed) ? undefined : change;
}

function sameListing(before: Row<ClosureRow> | undefined, listed: Listed): boolean {
  return before?.value.pending !== true && canonicalJson(before?.value.listed ?? null) === canonicalJson(listed);
}

/** The row says what will be listed before it is, so that nobody takes it out meanwhile. Needless where there is no row. */
async function announce(context: Context, changes: readonly Change[]): Promise<Change[]> {
  const announced: Change[] = [];
  await inParallel(changes, 16, async (change) => {
    const { before } = change;
    if (before === undefined || sameListing(before, change.listed)) {
      announced.push(change);
      return;
    }
    const value: ClosureRow = {
      ...before.value,
      listed: union(before.value.listed, change.listed),
      pending: true,
      ticket: context.request.ticket,
    };
    const row = { ...before, revision: before.revision + 1, value };
    if (await context.deps.store.put(row, { revision: before.revision })) announced.push({ ...change, before: row });
  });
  return announced;
}

async function confirm(context: Context, changes: readonly Change[]): Promise<Change[]> {
  const written: Change[] = [];
  await inParallel(changes, 16, async (change) => {
    const { before, specRevision, listed } = change;
    const row = {
      ...closureKey(context, change.application),
      revision: (before?.revision ?? 0) + 1,
      value: { specRevision, listed, ticket: context.request.ticket } satisfies ClosureRow,
    };
    const condition = before === undefined ? ({ absent: true } as const) : { revision: before.revision };
    if (await context.deps.store.put(row, condition)) written.push(change);
  });
  return written;
}

async function takeOut(context: Context, changes: readonly Change[]): Promise<void> {
  const mine = new Map(changes.map(({ application, before }) => [application, (before?.revision ?? 0) + 1]));
  const isCurrent = async (applications: readonly string[]) => {
    const rows = await context.deps.store.getMany<ClosureRow>(applications.map((id) => closureKey(context, id)));
    const revisions = new Map(rows.map((row) => [row.partition, row.revision]));
    return new Set(applications.filter((id) => revisions.get(closureKey(context, id).partition) === mine.get(id)));
  };
  await eachSelector(context, changes, formerFolders, (where, listings) =>
    unlistFolders(context.deps.store, where, listings, isCurrent),
  );
}

/** Another plan wrote one of these rows first: once more on top of it, unless it knows better. */
async function reload(context: Context, changes: readonly Change[]): Promise<Change[]> {
  if (changes.length === 0) return [];
  const rows = await context.deps.store.getMany<ClosureRow>(
    changes.map((change) => closureKey(context, change.application)),
  );
  const rowOf = new Map(rows.map((row) => [row.partition, row]));
  return changes
    .map((change) => ({ ...change, before: rowOf.get(closureKey(context, change.application).partition) }))
    .filter(({ before }) => (before?.value.ticket ?? 0) <= context.request.ticket);
}

/** Calls once per repository and selector, with what `foldersOf` gives for each application there. */
async function eachSelector<Folder>(
  context: Context,
  changes: readonly Change[],
  foldersOf: (change: Change, repository: string, selector: string) => readonly Folder[],
  work: (
    where: { organisation: string; repository: string; selector: string },
    listings: readonly Listing<Folder>[],
  ) => Promise<void>,
): Promise<void> {
  const bySelector = new Map<string, { repository: string; selector: string; listings: Listing<Folder>[] }>();
  for (const change of changes) {
    for (const { repository, selector } of union(change.before?.value.listed ?? [], change.listed)) {
      const folders = foldersOf(change, repository, selector);
      if (folders.length === 0) continue;
      const key = `${repository} ${selector}`;
      const entry = bySelector.get(key) ?? { repository, selector, listings: [] };
      entry.listings.push({ application: change.application, folders });
      bySelector.set(key, entry);
    }
  }
  for (const { listings, ...where } of bySelector.values())
    await work({ organisation: context.request.organisation, ...where }, listings);
}

function wantedFolders({ before, listed }: Change, repository: string, selector: string): readonly FolderListing[] {
  // An announced row names folders that may not be listed yet: then all are looked at.
  return before !== undefined && before.value.pending !== true ? [] : foldersAt(listed, repository, selector);
}

function formerFolders({ before, listed }: Change, repository: string, selector: string): FormerFolder[] {
  const kept = new Map(foldersAt(listed, repository, selector).map((folder) => [folder.path, folder.recursive]));
  return foldersAt(before?.value.listed ?? [], repository, selector)
    .filter(({ path, recursive }) => !kept.has(path) || (recursive && kept.get(path) === false))
    .map(({ path }) => ({ path, direct: kept.has(path) }));
}

function foldersAt(listed: Listed, repository: string, selector: string): Listed[number]['folders'] {
  return listed.find((one) => one.repository === repository && one.selector === selector)?.folders ?? [];
}

/** All folders of both lists; where both name one, the recursive wins. */
function union(one: Listed, other: Listed): Listed {
  const found = new Map<string, Listed[number]>();
  for (const { repository, selector, folders } of [...one, ...other]) {
    const key = `${repository} ${selector}`;
    const merged = new Map((found.get(key)?.folders ?? []).map((folder) => [folder.path, folder.recursive]));
    for (const folder of folders) merged.set(folder.path, folder.recursive || merged.get(folder.path) === true);
    found.set(key, { repository, selector, folders: sorted(merged) });
  }
  return [...found.values()];
}

function listingsOf(planned: Planned): Listed {
  return planned.application.sources.reduce<Listed>((listed, source, index) => {
    const closure = planned.closures[index];
    const folders = new Map<string, boolean>();
    for (const file of closure?.files ?? []) folders.set(file.path.split('/').slice(0, -1).join('/'), false);
    for (const folder of closure?.folders ?? [])
      folders.set(folder.path, folder.recursive || folders.get(folder.path) === true);
    const selector = normaliseSelector(source.revision);
    // Two sources may read from the same place.
    return union(listed, [{ repository: source.repository, selector, folders: sorted(folders) }]);
  }, []);
}

/** An application that cannot be read is looked at whenever anything changes: that may be the mend. */
function fallbackListings(planned: Planned): Listed {
  const anywhere = [{ path: '', recursive: true }];
  const sources = planned.application.sources.map(({ repository, revision }) => ({
    repository,
    selector: normaliseSelector(revision),
    folders: anywhere,
  }));
  return union([], sources);
}

function sorted(folders: ReadonlyMap<string, boolean>): FolderListing[] {
  return [...folders].map(([path, recursive]) => ({ path, recursive })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

function closureKey(context: Context, application: string): { partition: string; sort: string } {
  return { partition: applicationKey(context.request.organisation, application), sort: sortKeys.closure };
}
