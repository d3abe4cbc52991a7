import type { ApplicationDetail } from '#shared/messages/api.ts';

/** A line that has to be seen before anything else on the page. */
export interface Notice {
  tone: 'bad' | 'warn' | 'info';
  title: string;
  text: string;
  hint?: string;
  /** When it began, ISO 8601. */
  since?: string;
}

/** What is wrong or unusual about an application, worst first; holds are shown apart, with their list. */
export function noticesOf(app: ApplicationDetail): Notice[] {
  const notices: Notice[] = [];
  if (app.stale) notices.push(staleNotice(app));
  for (const condition of app.conditions) {
    if (condition.type === 'NeedsConfirmation' && app.hold !== undefined) continue;
    notices.push({
      tone: condition.type.endsWith('Warning') || waiting.has(condition.type) ? 'warn' : 'bad',
      title: condition.type,
      text: condition.message,
      since: condition.lastTransitionTime,
      ...hintOf(condition.type),
    });
  }
  const operation = app.operationState;
  const failed = operation?.phase === 'Failed' || operation?.phase === 'Error';
  if (
    operation !== undefined &&
    failed &&
    !app.conditions.some((condition) => condition.message === operation.message)
  ) {
    notices.push({
      tone: 'bad',
      title: `Sync ${operation.phase.toLowerCase()}`,
      text: operation.message,
      hint: failedHint(operation.resources),
      ...(operation.finishedAt === undefined ? {} : { since: operation.finishedAt }),
    });
  }
  if (app.deleting)
    notices.push({
      tone: 'info',
      title: 'Being deleted',
      text: 'The application goes away when its agent has reported.',
    });
  const rank = { bad: 0, warn: 1, info: 2 };
  return notices.sort((a, b) => rank[a.tone] - rank[b.tone]);
}

const waiting = new Set(['DependencyNotReady', 'NeedsConfirmation', 'SourceMissing', 'Fight']);

const hints: Readonly<Record<string, string>> = {
  ComparisonError:
    'The last good snapshot stays applied. Fix the source and push, or check the repository’s address and credentials.',
  InvalidSpecError: 'Correct the declaration and hand it in again with hawser apply.',
  SyncError: 'The result of each resource is under Resources; a push that fixes it or a sync tries again.',
  DeletionError: 'Look at the finalizers of the objects that remain.',
  UnknownError: 'The events may say more.',
  SharedResourceWarning: 'Another application owns the same object: remove it from one of the two.',
  RepeatedResourceWarning: 'The source yields the same object twice; only the last one counts.',
  ExcludedResourceWarning: 'What it names is not applied; everything else is.',
  OrphanedResourceWarning: 'These objects belong to no application.',
  DependencyNotReady: 'It goes on by itself as soon as the applications that it depends on are ready.',
  NeedsConfirmation: 'Nothing is pruned until somebody confirms the list.',
  SourceMissing: 'Nothing is deleted because of it. Restore the path or the branch, or delete the application.',
  Fight: 'Somebody else keeps changing the same fields: find out who, or ignore the difference. Correction is paused.',
};

function hintOf(type: string): { hint?: string } {
  const hint = hints[type];
  return hint === undefined ? {} : { hint };
}

function failedHint(results: readonly { status: string }[]): string {
  const failed = results.filter((result) => result.status === 'SyncFailed').length;
  if (failed === 0) return 'The events may say more. A push that fixes it or a sync tries again.';
  return `${failed} of ${results.length} resources failed; each says why under Resources.`;
}

function staleNotice(app: ApplicationDetail): Notice {
  return {
    tone: 'warn',
    title: 'Stale',
    text: `The agent of cluster ${app.cluster} has not been heard; what is shown is how things were then.`,
    hint: 'The agent goes on with the last good snapshot by itself. If the cluster should be reachable, look at the agent’s log there.',
    ...(app.reportedAt === undefined ? {} : { since: app.reportedAt }),
  };
}
