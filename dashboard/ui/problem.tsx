import type { Problem } from '#shared/messages/api.ts';
import { problemOf } from '../api/client.ts';
import { Button } from './button.tsx';
import { Icon } from './icons.tsx';

/** A problem as its sentence and what to do about it. */
export function ProblemText({ problem }: { problem: Problem }) {
  return (
    <>
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      {problem.hint === undefined ? null : <p className="hint">{problem.hint}</p>}
    </>
  );
}

/** A view that could not be read at all. */
export function ErrorPanel({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = problemOf(error);
  return (
    <div className="panel-state" role="alert">
      <span className="bad">
        <Icon name="warning" />
      </span>
      <ProblemText problem={problem} />
      {onRetry === undefined ? null : <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** What is shown is older than it should be, because asking again failed. */
export function RefreshFailed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const problem = problemOf(error);
  return (
    <div className="strip warn" role="status">
      <Icon name="warning" />
      <span>
        Could not refresh; this is what was read last. {problem.detail} {problem.hint}
      </span>
      <Button kind="quiet" onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}
