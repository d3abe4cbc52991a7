import type { ClusterView, EventView, HistoryView, RepositoryView } from '#shared/messages/api.ts';

/** `GET /api/v1/session`. */
export interface Session {
  organisation: string;
  user: string;
  role: string;
  version: string;
}

export interface EventPage {
  items: EventView[];
  next?: string | undefined;
}

/** `GET …/manifests`: the desired objects of a generation, Secrets masked. */
export interface Manifests {
  generation: number;
  objects: Record<string, unknown>[];
}

export interface Items<T> {
  items: T[];
}

export type ClusterItems = Items<ClusterView>;
export type RepositoryItems = Items<RepositoryView>;
export type HistoryItems = Items<HistoryView>;

/** What a deletion does with the objects in the cluster. */
export type Cascade = 'orphan' | 'foreground' | 'background';
