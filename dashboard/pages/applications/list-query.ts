import type { ApplicationList } from '#shared/messages/api.ts';

/** The filters that may hold several values: their names in the address are the API's. */
export const facets = ['health', 'sync', 'cluster', 'project'] as const;
export type Facet = (typeof facets)[number];

export const sortFields = ['name', 'health', 'sync', 'updated'] as const;
export type SortField = (typeof sortFields)[number];

/** What the list shows; the address holds all of it. */
export interface ListQuery {
  search: string;
  health: string[];
  sync: string[];
  cluster: string[];
  project: string[];
  kind: string;
  sort: SortField;
  descending: boolean;
}

/** Reads an address' query; what is not known there is ignored. */
export function parseListQuery(params: URLSearchParams): ListQuery {
  const sort = params.get('sort') ?? 'name';
  const field = sortFields.find((name) => name === sort.replace(/^-/, ''));
  const values = (facet: Facet) => [...new Set(params.getAll(facet).filter((value) => value !== ''))].sort();
  return {
    search: params.get('search') ?? '',
    health: values('health'),
    sync: values('sync'),
    cluster: values('cluster'),
    project: values('project'),
    kind: params.get('kind') ?? '',
    sort: field ?? 'name',
    descending: field !== undefined && sort.startsWith('-'),
  };
}

/** The inverse: the same query always gives the same text, and the plain list gives ''. */
export function listSearch(query: ListQuery): string {
  const params = new URLSearchParams();
  if (query.search !== '') params.set('search', query.search);
  for (const facet of facets) {
    for (const value of [...query[facet]].sort()) params.append(facet, value);
  }
  if (query.kind !== '') params.set('kind', query.kind);
  const sort = `${query.descending ? '-' : ''}${query.sort}`;
  if (sort !== 'name') params.set('sort', sort);
  return params.toString();
}

/** With `value` chosen in the facet, or no longer. */
export function toggleFacet(query: ListQuery, facet: Facet, value: string): ListQuery {
  const chosen = query[facet];
  const next = chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value].sort();
  return { ...query, [facet]: next };
}

/** Sorted by the field; the other way round where it already is. Newest first is what one asks `updated` for. */
export function toggleSort(query: ListQuery, field: SortField): ListQuery {
  if (query.sort === field) return { ...query, descending: !query.descending };
  return { ...query, sort: field, descending: field === 'updated' };
}

export function isFiltered(query: ListQuery): boolean {
  return query.search !== '' || query.kind !== '' || facets.some((facet) => query[facet].length > 0);
}

/** Without search and filters, the order kept. */
export function withoutFilters(query: ListQuery): ListQuery {
  return { ...query, search: '', kind: '', health: [], sync: [], cluster: [], project: [] };
}

export interface FacetOption {
  value: string;
  count: number;
  chosen: boolean;
}

/**
 * What a facet offers: `known` in their own order (all of a closed set), then whatever the service counted or the address chose.
 * A chosen value stays visible with a count of 0, so that it can be taken back.
 */
export function facetOptions(
  counts: Record<string, number>,
  chosen: readonly string[],
  known: readonly string[] = [],
): FacetOption[] {
  const others = [...new Set([...Object.keys(counts), ...chosen])].filter((value) => !known.includes(value)).sort();
  return [...known, ...others].map((value) => ({ value, count: counts[value] ?? 0, chosen: chosen.includes(value) }));
}

/** The counts of a facet in an answer. */
export function countsOf(counts: ApplicationList['counts'], facet: Facet): Record<string, number> {
  switch (facet) {
    case 'health':
      return counts.health;
    case 'sync':
      return counts.sync;
    case 'cluster':
      return counts.clusters;
    case 'project':
      return counts.projects;
  }
}
