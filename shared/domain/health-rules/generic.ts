import type { Health } from '../status.ts';
import { conditionOf, health, type ObjectView } from './read.ts';

/**
 * Kinds without a rule: kstatus's generic one (flux.md §2.7). A controller that has not seen the newest spec, or says that it
 * is at work, makes it Progressing; one that says it is stuck makes it Degraded; Ready (else Available) decides the rest.
 * undefined where the object says nothing of itself: then it has no health.
 */
export function genericHealth(view: ObjectView): Health | undefined {
  const { generation, observedGeneration } = view;
  if (generation > 0 && observedGeneration !== undefined && observedGeneration !== generation) {
    return health(
      'Progressing',
      `generation is ${generation}, but latest observed generation is ${observedGeneration}`,
    );
  }
  const reconciling = conditionOf(view, 'Reconciling');
  if (reconciling?.status === 'True') return health('Progressing', reconciling.message || reconciling.reason);
  const stalled = conditionOf(view, 'Stalled');
  if (stalled?.status === 'True') return health('Degraded', stalled.message || stalled.reason);
  const verdict = conditionOf(view, 'Ready') ?? conditionOf(view, 'Available');
  if (verdict === undefined) return undefined;
  const message = verdict.message || verdict.reason;
  return health(verdict.status === 'True' ? 'Healthy' : 'Progressing', message);
}
