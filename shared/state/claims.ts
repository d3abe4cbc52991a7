import type { Application } from '../domain/application.ts';
import type { Clock } from '../ports/clock.ts';
import type { StateStore } from '../ports/state-store.ts';
import { byParent } from './bring-back.ts';
import { applicationKey, sortKeys } from './keys.ts';
import { getApplication } from './registry.ts';

/**
 * A declaration that moves from one application's folder to another's in one push is declared by the new one before or
 * after the old one gives it up, as it happens. Either way nothing of it may be deleted: absence from one snapshot is no
 * instruction while another one declares it.
 */
interface Claim {
  /** Who wants to be its parent. */
  parent: string;
  /** ms since 1970. */
  at: number;
}

/** The row `CHILDREN`: what an application's newest snapshot declared. */
export interface Children {
  generation: number;
  /** Ids of the applications that it declared. */
  applications: string[];
  /** Ids of those that another one declares as well, and holds. */
  claims?: string[];
}

/** So long a claim counts though its claimant has not noted it: it may be about to. */
const freshMs = 10 * 60_000;

/** True where a parent has given a child up: whoever declares it now takes it over, and its deletion back. */
export function isGivenUp({ deleting, parent }: Application): boolean {
  return parent !== undefined && deleting?.by === byParent(parent);
}

/** Notes that `parent` declares an application that another one holds. */
export async function claim(
  deps: { store: StateStore; clock: Clock },
  organisation: string,
  application: string,
  parent: string,
): Promise<void> {
  const value: Claim = { parent, at: deps.clock.now() };
  await deps.store.put({
    partition: applicationKey(organisation, application),
    sort: sortKeys.claim,
    revision: value.at,
    value,
  });
}

/** The application that declares a child as well as its parent does, as far as its newest snapshot still does. */
export async function claimantOf(
  deps: { store: StateStore; clock: Clock },
  organisation: string,
  child: Application,
): Promise<Application | undefined> {
  const row = await deps.store.get<Claim>(applicationKey(organisation, child.id), sortKeys.claim);
  if (row === undefined || row.value.parent === child.parent) return undefined;
  const claimant = await getApplication(deps.store, organisation, row.value.parent);
  if (claimant === undefined || claimant.deleting !== undefined) return undefined;
  const known = await deps.store.get<Children>(applicationKey(organisation, claimant.id), sortKeys.children);
  const isFresh = deps.clock.now() - row.value.at < freshMs;
  return isFresh || known?.value.claims?.includes(child.id) === true ? claimant : undefined;
}
