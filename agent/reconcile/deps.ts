import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Texts } from './texts.ts';

/** What carrying out decisions needs. */
export interface ReconcileDeps {
  cluster: Cluster;
  clock: Clock;
  log: Log;
  texts: Texts;
  /** Which application of this agent owns an object (by `keyOf` key); the first to have it keeps it (FT-91). */
  owners: Owners;
  /** Called before objects of a kind are written, so that its watch is there when they are. */
  watch(group: string, kind: string, version: string, namespace: string): void;
  random: () => number;
  /** Namespaces that were seen lately, with until when that may be believed (monotonic ms). */
  namespaces: Map<string, number>;
}

/** Objects to applications, over all applications of the agent. */
export interface Owners {
  ownerOf(key: string): string | undefined;
  /** Claims for an application; false when another one has it. */
  claim(key: string, application: string): boolean;
  release(key: string, application: string): void;
}

/** Creates an empty table. */
export function createOwners(): Owners {
  const owners = new Map<string, string>();
  return {
    ownerOf: (key) => owners.get(key),
    claim(key, application) {
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, application);
      return owner === undefined || owner === application;
    },
    release(key, application) {
      if (owners.get(key) === application) owners.delete(key);
    },
  };
}
