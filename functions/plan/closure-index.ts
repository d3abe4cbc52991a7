import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '#shared/domain/digest.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { repositoryKey, sortKeys } from '#shared/state/keys.ts';
import { eachRow, updateRow } from '#shared/state/update.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { selectorKey } from './selector.ts';

/**
 * From folders to the applications that read in them, in compressed pages (rows `CLOSURE#selector#page`).
 * A changed path asks for its own folder and for the folders above it that are read recursively: a handful of rows,
 * however many applications the repository has.
 */
export interface FolderListing {
  path: string;
  /** New files anywhere below count, not only directly in it. */
  recursive: boolean;
}

interface Where {
  organisation: string;
  repository: string;
  selector: string;
}

/** folder → application → 1, or 2 where the folder is read recursively. */
type Page = Record<string, Record<string, 1 | 2>>;

const pages = 64;

/** Applications that may be touched by changes to these paths. Too many rather than too few. */
export async function applicationsReading(
  store: StateStore,
  where: Where,
  paths: readonly string[],
): Promise<Set<string>> {
  const folders = new Map<string, boolean>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let length = parts.length; length >= 0; length -= 1) {
      const folder = parts.slice(0, length).join('/');
      folders.set(folder, folders.get(folder) === true || length === parts.length);
    }
  }
  const found = new Set<string>();
  const loaded = await loadPages(store, where, new Set([...folders.keys()].map(pageOf)));
  for (const [folder, direct] of folders) {
    for (const [application, depth] of Object.entries(loaded.get(pageOf(folder))?.[folder] ?? {})) {
      if (direct || depth === 2) found.add(application);
    }
  }
  return found;
}

/** Everybody who reads from this selector: for when nobody can say what changed. */
export async function allApplications(store: StateStore, where: Where): Promise<Set<string>> {
  const found = new Set<string>();
  const prefix = `CLOSURE#${selectorKey(where.selector)}#`;
  for await (const row of eachRow<{ packed: string }>(
    store,
    repositoryKey(where.organisation, where.repository),
    prefix,
  )) {
    for (const applications of Object.values(unpack(row.value.packed))) {
      for (const application of Object.keys(applications)) found.add(application);
    }
  }
  return found;
}

/** What one application reads from one selector. */
export interface Listing<Folder = FolderListing> {
  application: string;
  folders: readonly Folder[];
}

/** A folder that one application reads no more, or only directly from now on. */
export interface FormerFolder {
  path: string;
  direct: boolean;
}

/** Lists applications under folders, never less deeply than before; one write per page that changes, none where all is listed already. */
export async function listFolders(store: StateStore, where: Where, listings: readonly Listing[]): Promise<void> {
  await inParallel([...byPage(listings)], 16, async ([number, entries]) => {
    await updateRow<{ packed: string }>(store, ...pageKey(where, number), (value) => {
      const page = value === undefined ? nullPage() : unpack(value.packed);
      const added = entries.filter(({ folder, application }) => list(page, folder, application));
      return added.length === 0 ? undefined : { packed: pack(page) };
    });
  });
}

/**
 * Takes applications out of folders, one page at a time. `isCurrent` says after the page was read whether what an
 * application reads is still what this caller wrote down: if not, its entries belong to somebody later and stay.
 */
export async function unlistFolders(
  store: StateStore,
  where: Where,
  listings: readonly Listing<FormerFolder>[],
  isCurrent: (applications: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<void> {
  await inParallel([...byPage(listings)], 16, async ([number, entries]) => {
    const [partition, sort] = pageKey(where, number);
    for (;;) {
      const row = await store.get<{ packed: string }>(partition, sort);
      if (row === undefined) return;
      const current = await isCurrent([...new Set(entries.map((entry) => entry.application))]);
      const page = unpack(row.value.packed);
      const taken = entries.filter(
        ({ folder, application }) => current.has(application) && take(page, folder, application),
      );
      if (taken.length === 0) return;
      const next = { partition, sort, revision: row.revision + 1, value: { packed: pack(page) } };
      if (await store.put(next, { revision: row.revision })) return;
    }
  });
}

function byPage<Folder extends { path: string }>(
  listings: readonly Listing<Folder>[],
): Map<number, { folder: Folder; application: string }[]> {
  const entries = listings.flatMap(({ application, folders }) => folders.map((folder) => ({ folder, application })));
  return Map.groupBy(entries, ({ folder }) => pageOf(folder.path));
}

function pageKey(where: Where, number: number): [partition: string, sort: string] {
  return [
    repositoryKey(where.organisation, where.repository),
    sortKeys.closurePage(selectorKey(where.selector), number),
  ];
}

async function loadPages(store: StateStore, where: Where, numbers: ReadonlySet<number>): Promise<Map<number, Page>> {
  const keys = [...numbers].map((number) => {
    const [partition, sort] = pageKey(where, number);
    return { number, partition, sort };
  });
  const rows = await store.getMany<{ packed: string }>(keys.map(({ partition, sort }) => ({ partition, sort })));
  const bySort = new Map(rows.map((row) => [row.sort, row.value.packed]));
  const loaded = new Map<number, Page>();
  for (const { number, sort } of keys) {
    const packed = bySort.get(sort);
    if (packed !== undefined) loaded.set(number, unpack(packed));
  }
  return loaded;
}

/** True where that changes anything. */
function list(page: Page, { path, recursive }: FolderListing, application: string): boolean {
  const applications = (page[path] ??= Object.create(null) as Record<string, 1 | 2>);
  const depth = recursive ? 2 : 1;
  if ((applications[application] ?? 0) >= depth) return false;
  applications[application] = depth;
  return true;
}

/** True where that changes anything. */
function take(page: Page, { path, direct }: FormerFolder, application: string): boolean {
  const applications = page[path];
  if (applications?.[application] === undefined) return false;
  if (direct) applications[application] = 1;
  else delete applications[application];
  if (Object.keys(applications).length === 0) delete page[path];
  return true;
}

function pageOf(folder: string): number {
  return Number.parseInt(sha256(folder).slice(0, 8), 16) % pages;
}

/** Folder names come from tenants: a page must not have a prototype to pollute (NT-170). */
function nullPage(): Page {
  return Object.create(null) as Page;
}

function pack(page: Page): string {
  return gzipSync(JSON.stringify(page)).toString('base64');
}

function unpack(packed: string): Page {
  const parsed = JSON.parse(
    gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: 64 * 1024 * 1024 }).toString(),
  ) as Page;
  return Object.assign(nullPage(), parsed);
}
