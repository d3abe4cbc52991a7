import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { createContext, useContext, useEffect, useState } from 'react';
import type { ApplicationDetail, ApplicationList, StreamEvent } from '#shared/messages/api.ts';
import type { Api } from './client.ts';
import { foldEvents, mergeDetail, mergePages } from './merge.ts';
import { keys } from './queries.ts';
import type { StreamState } from './stream.ts';
import { createStream } from './stream.ts';
import { createThrottle } from './throttle.ts';
import type { ClusterItems } from './types.ts';

const ApiContext = createContext<Api | undefined>(undefined);
const LiveContext = createContext<StreamState>('connecting');

export function ApiProvider({ api, children }: { api: Api; children: ReactNode }) {
  return <ApiContext value={api}>{children}</ApiContext>;
}

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (api === undefined) throw new Error('useApi needs an ApiProvider above it');
  return api;
}

/** How the live connection stands; views poll often while it is not `live`. */
export function useStreamState(): StreamState {
  return useContext(LiveContext);
}

/** Holds the live connection while it is mounted and merges what comes into the query cache. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<StreamState>('connecting');
  useEffect(() => connectCache(client, setState), [client]);
  return <LiveContext value={state}>{children}</LiveContext>;
}

const timerDeps = {
  now: () => performance.now(),
  setTimer: (run: () => void, ms: number): unknown => window.setTimeout(run, ms),
  clearTimer: (timer: unknown) => window.clearTimeout(timer as number),
};

function connectCache(client: QueryClient, onState: (state: StreamState) => void): () => void {
  const lists = createThrottle(
    () => void client.invalidateQueries({ queryKey: keys.lists }),
    { firstMs: 300, everyMs: 3000 },
    timerDeps,
  );
  const applications = createThrottle(
    (id) => void client.invalidateQueries({ queryKey: keys.application(id) }),
    { firstMs: 100, everyMs: 1000 },
    timerDeps,
  );
  // One host that fails may be the source of many: each start and end of trouble tells to read anew.
  const everything = createThrottle(() => void client.invalidateQueries(), { firstMs: 0, everyMs: 3000 }, timerDeps);
  let lost = false;
  const stream = createStream({
    ...timerDeps,
    open: () => new EventSource('/api/v1/stream'),
    random: Math.random,
    onRefused: () => void client.invalidateQueries({ queryKey: keys.session }),
    onState(state) {
      // What happened while the connection was lost is not sent again.
      if (state === 'live' && lost) void client.invalidateQueries();
      lost = state !== 'live';
      onState(state);
    },
    onEvents(events) {
      if (events.some((event) => event.type === 'reload')) everything.call('everything');
      mergeIntoCache(client, events, { askList: () => lists.call('lists'), askApplication: applications.call });
    },
  });
  const retry = () => {
    if (document.visibilityState === 'visible') stream.retryNow();
  };
  window.addEventListener('online', retry);
  document.addEventListener('visibilitychange', retry);
  return () => {
    window.removeEventListener('online', retry);
    document.removeEventListener('visibilitychange', retry);
    everything.close();
    lists.close();
    applications.close();
    stream.close();
  };
}

function mergeIntoCache(
  client: QueryClient,
  events: StreamEvent[],
  ask: { askList: () => void; askApplication: (id: string) => void },
): void {
  const batch = foldEvents(events);
  if (batch.applications.size > 0 || batch.removed.size > 0) {
    client.setQueriesData<InfiniteData<ApplicationList>>({ queryKey: keys.lists }, (data) => {
      if (data === undefined) return undefined;
      const merged = mergePages(data.pages, batch);
      if (merged.asks) ask.askList();
      return { ...data, pages: merged.pages };
    });
  }
  for (const [id, summary] of batch.applications) {
    client.setQueryData<ApplicationDetail>(keys.detail(id), (detail) => detail && mergeDetail(detail, summary));
    if (client.getQueryCache().findAll({ queryKey: keys.application(id) }).length > 0) ask.askApplication(id);
  }
  for (const id of batch.removed) {
    if (client.getQueryCache().findAll({ queryKey: keys.application(id) }).length > 0) ask.askApplication(id);
  }
  if (batch.clusters.size > 0) {
    client.setQueryData<ClusterItems>(keys.clusters, (data) => {
      if (data === undefined) return undefined;
      const known = new Set(data.items.map((item) => item.id));
      const added = [...batch.clusters.values()].filter((cluster) => !known.has(cluster.id));
      return { items: [...data.items.map((item) => batch.clusters.get(item.id) ?? item), ...added] };
    });
  }
}
