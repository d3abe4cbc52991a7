import type { QueryClient } from '@tanstack/react-query';
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { Api } from './client.ts';

/** Query keys: what `live.tsx` merges into and asks again for. */
export const keys = {
  session: ['session'] as const,
  lists: ['applications'] as const,
  list: (search: string) => ['applications', search] as const,
  application: (id: string) => ['application', id] as const,
  detail: (id: string) => ['application', id, 'detail'] as const,
  tree: (id: string) => ['application', id, 'tree'] as const,
  resources: (id: string) => ['application', id, 'resource'] as const,
  resource: (id: string, key: string) => ['application', id, 'resource', key] as const,
  manifests: (id: string, generation: number | undefined) => ['application', id, 'manifests', generation] as const,
  events: (id: string) => ['application', id, 'events'] as const,
  history: (id: string) => ['application', id, 'history'] as const,
  clusters: ['clusters'] as const,
  repositories: ['repositories'] as const,
};

/** Drops everything that was read but who is logged in; only where no view is shown that reads. */
export function forgetReads(client: QueryClient): void {
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
}

/** How often a view asks by itself, in ms: seldom while the stream is live, often while it is not. */
export function pollEvery(live: boolean): number {
  return live ? 60_000 : 5000;
}

const pageSize = 200;

export function sessionQuery(api: Api) {
  return queryOptions({ queryKey: keys.session, queryFn: ({ signal }) => api.session(signal), staleTime: 300_000 });
}

/** `search` is the list's query as it stands in the address, without `limit` and `cursor`. */
export function applicationsQuery(api: Api, search: string, live: boolean) {
  return infiniteQueryOptions({
    queryKey: keys.list(search),
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams(search);
      query.set('limit', String(pageSize));
      if (pageParam !== '') query.set('cursor', pageParam);
      return api.applications(query.toString(), signal);
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: pollEvery(live),
  });
}

export function applicationQuery(api: Api, id: string, live: boolean) {
  return queryOptions({
    queryKey: keys.detail(id),
    queryFn: ({ signal }) => api.application(id, signal),
    refetchInterval: pollEvery(live),
  });
}

/** Asks the agent: an answer costs a round trip to the cluster, so it is not asked for more often than every 10 s unchanged. */
export function treeQuery(api: Api, id: string) {
  return queryOptions({
    queryKey: keys.tree(id),
    queryFn: ({ signal }) => api.tree(id, signal),
    refetchInterval: 10_000,
  });
}

export function resourceQuery(api: Api, id: string, key: string) {
  return queryOptions({ queryKey: keys.resource(id, key), queryFn: ({ signal }) => api.resource(id, key, signal) });
}

/** A generation's objects never change. */
export function manifestsQuery(api: Api, id: string, generation: number | undefined) {
  return queryOptions({
    queryKey: keys.manifests(id, generation),
    queryFn: ({ signal }) => api.manifests(id, signal),
    staleTime: Infinity,
  });
}

export function eventsQuery(api: Api, id: string, live: boolean) {
  return infiniteQueryOptions({
    queryKey: keys.events(id),
    queryFn: ({ pageParam, signal }) => api.events(id, pageParam === '' ? undefined : pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    refetchInterval: pollEvery(live),
  });
}

export function historyQuery(api: Api, id: string, live: boolean) {
  return queryOptions({
    queryKey: keys.history(id),
    queryFn: ({ signal }) => api.history(id, signal),
    refetchInterval: pollEvery(live),
  });
}

export function clustersQuery(api: Api, live: boolean) {
  return queryOptions({
    queryKey: keys.clusters,
    queryFn: ({ signal }) => api.clusters(signal),
    refetchInterval: pollEvery(live),
  });
}

export function repositoriesQuery(api: Api) {
  return queryOptions({
    queryKey: keys.repositories,
    queryFn: ({ signal }) => api.repositories(signal),
    refetchInterval: 30_000,
  });
}
