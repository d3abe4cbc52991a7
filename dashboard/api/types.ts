import type { AgentIdentity } from '#shared/domain/cluster.ts';
import type { RepositoryCredentials } from '#shared/domain/repository-credentials.ts';
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

/** Body of `POST /clusters`. */
export interface NewCluster {
  name: string;
  identity: AgentIdentity;
  labels?: Record<string, string>;
}

/** Body of `POST /repositories`; for one that is known, its new credentials. */
export interface NewRepository {
  url: string;
  credentials?: RepositoryCredentials;
  ca?: string;
}

/** What `POST /repositories` answers; `webhookUrls` by kind of Git host. */
export interface AddedRepository {
  repository: { id: string; url: string };
  webhookSecret: string;
  webhookUrls: Record<string, string>;
}

/** What `POST …/webhook-secret` answers. */
export interface RotatedSecret {
  webhookSecret: string;
  previousUntil: string;
}

/** What a deletion does with the objects in the cluster. */
export type Cascade = 'orphan' | 'foreground' | 'background';
