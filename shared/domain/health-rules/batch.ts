import type { Health } from '../status.ts';
import { conditionOf, health, type HealthRule, listIn, type ObjectView, textIn } from './read.ts';

export const batchRules: readonly (readonly [string, HealthRule])[] = [
  ['batch/Job', jobHealth],
  ['batch/CronJob', cronJobHealth],
];

/** A condition counts only while it is True: a Job that was suspended and resumed keeps `Suspended=False`. */
function jobHealth(view: ObjectView): Health {
  const held = (type: string) => {
    const condition = conditionOf(view, type);
    return condition?.status === 'True' ? condition : undefined;
  };
  const failed = held('Failed');
  if (failed !== undefined) return health('Degraded', failed.message);
  const suspended = held('Suspended');
  if (suspended !== undefined) return health('Suspended', suspended.message);
  const complete = held('Complete');
  return complete === undefined ? health('Progressing') : health('Healthy', complete.message);
}

/** Argo CD's script for CronJobs: only a last run that is known to have failed is Degraded. */
function cronJobHealth({ object, spec, status }: ObjectView): Health {
  if (spec['suspend'] === true) return health('Suspended', 'CronJob is Suspended');
  if (object['status'] == null) return health('Progressing', 'Waiting for CronJob');
  const scheduled = textIn(status, 'lastScheduleTime');
  const succeeded = textIn(status, 'lastSuccessfulTime');
  if (scheduled === '') return health('Healthy', 'CronJob has not been scheduled yet');
  if (succeeded === '') return health('Healthy', 'The CronJob never completed successfully. It may not be healthy');
  if (listIn(status, 'active').length > 0) {
    return health('Healthy', 'The job is running. Its last execution may not have been successful');
  }
  if (Date.parse(succeeded) < Date.parse(scheduled)) {
    return health('Degraded', 'CronJob has not completed its last execution successfully');
  }
  return health('Healthy', 'CronJob has completed its last execution successfully');
}
