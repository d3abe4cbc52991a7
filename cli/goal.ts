import type { ApplicationDetail } from '#shared/messages/api.ts';

/** What a wait is for. `deleted`: the one with this uid is gone, whatever was declared in its place. `generation`: the operation of a generation that was just asked for, and what must hold after it. */
export type Goal =
  | { kind: 'healthy' | 'synced' | 'operation' }
  | { kind: 'deleted'; uid?: string | undefined }
  | { kind: 'generation'; generation: number | undefined; startedBefore: string | undefined; healthy: boolean };

export type Verdict = { state: 'reached' | 'failed' | 'open'; why: string; hint?: string };

/** Whether an application has come to where all the goals want it; undefined: the application does not exist (any more). Pure. */
export function judge(goals: readonly Goal[], application: ApplicationDetail | undefined): Verdict {
  const verdicts = goals.map((goal) => judgeOne(goal, application));
  return (
    verdicts.find(({ state }) => state === 'failed') ??
    verdicts.find(({ state }) => state === 'open') ??
    verdicts.at(-1) ?? { state: 'reached', why: 'nothing to wait for' }
  );
}

function judgeOne(goal: Goal, application: ApplicationDetail | undefined): Verdict {
  if (goal.kind === 'deleted') {
    if (application === undefined) return { state: 'reached', why: 'deleted' };
    if (goal.uid !== undefined && uidOf(application) !== goal.uid)
      return {
        state: 'reached',
        why: `deleted, and declared again${application.parent ? ` by ${application.parent}` : ''}`,
      };
    return open(application.deleting ? 'being deleted' : 'not deleted');
  }
  if (application === undefined) return { state: 'failed', why: 'it was deleted meanwhile' };
  if (goal.kind === 'generation') return judgeGeneration(goal, application);
  const operation = application.operationState;
  if (goal.kind === 'operation') {
    if (operation === undefined || operation.finishedAt === undefined) return open(describeState(application));
    if (operation.phase === 'Failed' || operation.phase === 'Error') return failed(application);
    return { state: 'reached', why: `operation ${operation.phase}` };
  }
  if (application.stale) return open(`the agent of cluster ${application.cluster} is silent; what is known is old`);
  const isThere = goal.kind === 'healthy' ? application.health === 'Healthy' : application.sync === 'Synced';
  return isThere ? { state: 'reached', why: inWords(application) } : open(describeState(application));
}

/** Each declaration anew after a deletion has a uid of its own. */
export function uidOf({ declared }: ApplicationDetail): string | undefined {
  const metadata = declared['metadata'] as { uid?: unknown } | undefined;
  return typeof metadata?.uid === 'string' ? metadata.uid : undefined;
}

function judgeGeneration(goal: Extract<Goal, { kind: 'generation' }>, application: ApplicationDetail): Verdict {
  const operation = application.operationState;
  if (operation === undefined || !isAsked(goal, operation)) {
    return open(application.stale ? `the agent of cluster ${application.cluster} is silent` : 'waiting for the agent');
  }
  if (operation.finishedAt === undefined) return open(describeState(application));
  if (operation.phase === 'Failed' || operation.phase === 'Error') return failed(application);
  if (application.held) {
    return {
      state: 'failed',
      why: `prunes are held back: ${application.hold?.reason ?? 'they need a confirmation'}`,
      hint: `Look at them and let them go with \`hawser confirm ${application.id}\`.`,
    };
  }
  if (!goal.healthy || application.health === 'Healthy') return { state: 'reached', why: inWords(application) };
  return open(describeState(application));
}

function isAsked(
  goal: Extract<Goal, { kind: 'generation' }>,
  operation: NonNullable<ApplicationDetail['operationState']>,
): boolean {
  if (goal.generation !== undefined) return operation.generation >= goal.generation;
  return operation.startedAt !== goal.startedBefore;
}

/** `OutOfSync, Progressing, syncing 3 of 5`: where an application is. */
export function describeState(application: ApplicationDetail): string {
  const operation = application.operationState;
  const parts: string[] = [inWords(application)];
  if (operation !== undefined && operation.finishedAt === undefined) {
    const all = application.desired?.objectCount ?? application.objects;
    parts.push(`syncing ${Math.min(operation.resources.length, all)} of ${all}`);
  }
  const message = reasonOf(application);
  return `${parts.join(', ')}${message === undefined || message === '' ? '' : `: ${message}`}`;
}

/** Why it is not where it should be. What keeps it from being applied comes before what that does to its health. */
function reasonOf({ id, sync, held, hold, message, healthMessage }: ApplicationDetail): string | undefined {
  if (held)
    return `prunes are held back: ${hold?.reason ?? 'they need a confirmation'}; look at them with \`hawser confirm ${id}\``;
  return sync === 'Synced' ? (healthMessage ?? message) : (message ?? healthMessage);
}

function failed(application: ApplicationDetail): Verdict {
  const operation = application.operationState;
  const broken = operation?.resources.find(({ status }) => status === 'SyncFailed');
  const where = broken === undefined ? '' : ` (${broken.kind} ${broken.name}: ${broken.message})`;
  return {
    state: 'failed',
    why: `${operation?.message ?? 'the operation failed'}${where}`,
    hint: `See \`hawser events ${application.id}\`.`,
  };
}

function inWords({ sync, health }: ApplicationDetail): string {
  return `${sync}, ${health}`;
}

function open(why: string): Verdict {
  return { state: 'open', why };
}
