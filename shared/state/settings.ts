import type { StateStore } from '../ports/state-store.ts';
import { organisationKey } from './keys.ts';

/** Settings of an organisation: the row `SETTINGS`. */
export interface Settings {
  /** The cluster that `in-cluster` means where nothing else is said. */
  defaultCluster: string;
}

export async function readSettings(store: StateStore, organisation: string): Promise<Settings> {
  const row = await store.get<Settings>(organisationKey(organisation), 'SETTINGS');
  return row?.value ?? { defaultCluster: 'default' };
}

export async function writeSettings(store: StateStore, organisation: string, settings: Settings): Promise<void> {
  await store.putMany([{ partition: organisationKey(organisation), sort: 'SETTINGS', revision: 1, value: settings }]);
}
