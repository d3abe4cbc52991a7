import type { Application } from '../domain/application.ts';
import type { PublishJob } from '../messages/publish-job.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';
import type { StateStore } from '../ports/state-store.ts';
import { writeEvents } from './events.ts';
import { takeTicket } from './heads.ts';
import { getApplication } from './registry.ts';

interface BringBackDeps {
  store: StateStore;
  publishJobs: Pick<Queue, 'send'>;
  clock: Clock;
}

/** True where an application declares its children again by itself once somebody else changes or deletes one, as Argo CD and Flux do. */
export function bringsBack({ policy, deleting, invalid }: Application): boolean {
  return policy.automated && policy.selfHeal && !policy.suspended && deleting === undefined && invalid === undefined;
}

/**
 * Somebody changed or deleted an application that another one declares: where that one heals itself, what it declares is
 * registered once more. To be called when the change is done, and what was deleted is gone: to declare what is being
 * deleted would take its deletion back. Cut off before, the parent's next publication does the same.
 *
 * @param what What happened, in words: `it was deleted by ada`.
 * @returns Whether it will be brought back.
 */
export async function bringBack(
  deps: BringBackDeps,
  organisation: string,
  child: Application,
  what: { message: string; trace: string },
): Promise<boolean> {
  const parent = child.parent === undefined ? undefined : await getApplication(deps.store, organisation, child.parent);
  if (parent === undefined || !bringsBack(parent)) return false;
  const at = new Date(deps.clock.now()).toISOString();
  const generation = await declareAgain(deps, organisation, parent.id, what.trace);
  const group = child.kind === 'Application' ? 'argoproj.io' : 'kustomize.toolkit.fluxcd.io';
  const object = `${group}/${child.kind}/${child.namespace}/${child.name}`;
  await writeEvents(deps.store, organisation, parent.id, [
    { at, type: 'Warning', reason: 'DriftDetected', message: what.message, object, generation },
  ]);
  return true;
}

/** Has an application register once more what its newest snapshot declares. Answers the generation. */
export async function declareAgain(
  deps: BringBackDeps,
  organisation: string,
  parent: string,
  trace: string,
): Promise<number> {
  const generation = await takeTicket(deps.store, organisation);
  const job: PublishJob = {
    organisation,
    application: parent,
    generation,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: selfHealing, renderDigest: '' },
    result: { status: 'repeat' },
    trace,
    // What is done about something stands behind it in the log.
    at: new Date(deps.clock.now() + 1).toISOString(),
  };
  await deps.publishJobs.send([JSON.stringify(job)], { group: organisation });
  return generation;
}

/** Who asks for a parent's children to be declared again. */
export const selfHealing = 'self-heal';

/** Who gives an order for an application, where it is its parent. */
export function byParent(parent: string): string {
  return `application ${parent}`;
}
