import type { ApplicationSummary } from '#shared/messages/api.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { exitCode } from './failure.ts';
import { readApplication } from './find-application.ts';
import { about, changes } from './follow.ts';
import { judge, type Goal, type Verdict } from './goal.ts';
import { span } from './output/age.ts';
import { oneLine } from './output/escape.ts';
import { createProgress } from './output/progress.ts';
import { remark, say } from './output/print.ts';
import { cut } from './output/table.ts';

/** Columns of a reason: an application can have very many things to say. */
const mostWords = 300;

export interface Waiting {
  application: ApplicationSummary;
  goals: readonly Goal[];
  /** What to say when it is there: `podinfo synced`. */
  done: string;
}

/**
 * Waits until every application is where its goals want it, telling of each one as it gets there.
 * Answers the exit code: 1 where one failed or the time was up.
 *
 * @param timeoutMs What was asked for, for the words.
 * @param end When the time is up (ms since 1970), where some of it is used already.
 */
export async function awaitGoals(
  client: Client,
  context: Context,
  list: readonly Waiting[],
  timeoutMs: number,
  end = context.now() + timeoutMs,
): Promise<number> {
  const open = new Map(list.map((waiting) => [waiting.application.id, waiting]));
  const verdicts = new Map<string, Verdict>();
  const progress = createProgress(context.err);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), Math.max(0, end - context.now()));
  const signal = AbortSignal.any([timeout.signal, context.signal]);
  let code: number = exitCode.done;
  try {
    for await (const _ of changes(client, context, { signal, concerns: about(new Set(open.keys())) })) {
      await Promise.all(
        [...open.values()].map(async (waiting) => {
          const { id } = waiting.application;
          verdicts.set(id, judge(waiting.goals, await readApplication(client, id)));
        }),
      );
      for (const [id, waiting] of open) {
        const verdict = verdicts.get(id);
        if (verdict === undefined || verdict.state === 'open') continue;
        open.delete(id);
        progress.clear();
        if (verdict.state === 'failed') code = exitCode.differs;
        tell(context, waiting, verdict);
      }
      if (open.size === 0) return code;
      progress.show([...open.values()].map((waiting) => line(waiting, verdicts)));
    }
  } finally {
    clearTimeout(timer);
    progress.clear();
  }
  const ending = context.signal.aborted ? 'stopped waiting' : `not within ${span(timeoutMs)}`;
  for (const waiting of open.values()) {
    const { id, name } = waiting.application;
    remark(
      context,
      `${context.errColour.paint('bad', 'error:')} ${oneLine(name)}: ${ending}: ${cut(oneLine(verdicts.get(id)?.why ?? ''), mostWords)}`,
    );
    remark(context, `       See \`hawser events ${id}\` and \`hawser tree ${id}\`.`);
  }
  return context.signal.aborted ? exitCode.interrupted : exitCode.differs;
}

function tell(context: Context, { application, done }: Waiting, verdict: Verdict): void {
  if (verdict.state === 'reached') {
    say(context, `${context.colour.paint('good', done)} (${oneLine(verdict.why)})`);
    return;
  }
  remark(context, `${context.errColour.paint('bad', 'error:')} ${application.name}: ${oneLine(verdict.why)}`);
  if (verdict.hint !== undefined) remark(context, `       ${oneLine(verdict.hint)}`);
}

function line({ application }: Waiting, verdicts: ReadonlyMap<string, Verdict>): string {
  return oneLine(`${application.name}  ${verdicts.get(application.id)?.why ?? ''}`);
}
