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

/** Lists applications under their new folders and takes them out of the old ones; one write per page that changes. */
export async function updateIndex(
  store: StateStore,
  where: Where,
  changes: readonly { application: string; before: readonly FolderListing[]; after: readonly FolderListing[] }[],
): Promise<void> {
  const byPage = new Map<number, ((page: Page) => void)[]>();
  const on = (folder: string, edit: (page: Page) => void) => {
    const edits = byPage.get(pageOf(folder)) ?? [];
    edits.push(edit);
    byPage.set(pageOf(folder), edits);
  };
  for (const { application, before, after } of changes) {
    const kept = new Map(after.map((folder) => [folder.path, folder.recursive ? 2 : 1] as const));
    for (const { path } of before) {
      if (!kept.has(path)) on(path, (page) => take(page, path, application));
    }
    for (const [path, depth] of kept) {
      const same = before.some((folder) => folder.path === path && (folder.recursive ? 2 : 1) === depth);
      if (!same) on(path, (page) => list(page, path, application, depth));
    }
  }
  await inParallel([...byPage], 16, async ([number, edits]) => {
    const partition = repositoryKey(where.organisation, where.repository);
    await updateRow<{ packed: string }>(
      store,
      partition,
      sortKeys.closurePage(selectorKey(where.selector), number),
      (value) => {
        const page: Page = value === undefined ? nullPage() : unpack(value.packed);
        for (const edit of edits) edit(page);
        return { packed: gzipSync(JSON.stringify(page)).toString('base64') };
      },
    );
  });
}

async function loadPages(store: StateStore, where: Where, numbers: ReadonlySet<number>): Promise<Map<number, Page>> {
  const partition = repositoryKey(where.organisation, where.repository);
  const keys = [...numbers].map((number) => ({
    number,
    sort: sortKeys.closurePage(selectorKey(where.selector), number),
  }));
  const rows = await store.getMany<{ packed: string }>(keys.map(({ sort }) => ({ partition, sort })));
  const bySort = new Map(rows.map((row) => [row.sort, row.value.packed]));
  const loaded = new Map<number, Page>();
  for (const { number, sort } of keys) {
    const packed = bySort.get(sort);
    if (packed !== undefined) loaded.set(number, unpack(packed));
  }
  return loaded;
}

function list(page: Page, folder: string, application: string, depth: 1 | 2): void {
  page[folder] ??= Object.create(null) as Record<string, 1 | 2>;
  (page[folder] as Record<string, 1 | 2>)[application] = depth;
}

function take(page: Page, folder: string, application: string): void {
  const applications = page[folder];
  if (applications === undefined) return;
  delete applications[application];
  if (Object.keys(applications).length === 0) delete page[folder];
}

function pageOf(folder: string): number {
  return Number.parseInt(sha256(folder).slice(0, 8), 16) % pages;
}

/** Folder names come from tenants: a page must not have a prototype to pollute (NT-170). */
function nullPage(): Page {
  return Object.create(null) as Page;
}

function unpack(packed: string): Page {
  const parsed = JSON.parse(
    gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: 64 * 1024 * 1024 }).toString(),
  ) as Page;
  return Object.assign(nullPage(), parsed);
}
