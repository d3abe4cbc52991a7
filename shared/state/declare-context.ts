import { isJsonObject, textOf, type JsonObject } from '../domain/json.ts';
import type { ApplyResult } from '../messages/api.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { StateStore } from '../ports/state-store.ts';

export interface DeclareDeps {
  store: StateStore;
  secrets: SecretStore;
  hints: Queue;
  bell: Bell;
  clock: Clock;
  /** Webhook secret of repositories that are registered on the way; random when absent. */
  webhookSecret?: string;
}

export interface DeclareRequest {
  organisation: string;
  objects: readonly JsonObject[];
  /** The cluster that `in-cluster` and Flux objects mean. */
  homeCluster: string;
  /** The organisation's default cluster: ids of Flux objects for it carry no cluster name. */
  defaultCluster: string;
  /** The application that rendered them; absent when somebody handed them in. */
  parent?: string;
  by: string;
  trace: string;
  dryRun?: boolean;
}

export type DeclareItem = ApplyResult['items'][number];

export interface DeclareContext {
  deps: DeclareDeps;
  request: DeclareRequest;
  /** Remembers that an application has to be planned once everything is written. */
  plan(repository: string, application: string): void;
  /** Remembers that a repository has to be read anew once everything is written. */
  refresh(repository: string): void;
}

/** Kind, namespace and name as far as they are there. */
export function identity(object: JsonObject): { kind: string; namespace: string; name: string } {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  return {
    kind: textOf(object['kind']),
    namespace: textOf(metadata['namespace']),
    name: textOf(metadata['name']),
  };
}
