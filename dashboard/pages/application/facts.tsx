import type { ReactNode } from 'react';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { Destination } from '../../ui/destination.tsx';
import { counted, duration, shortRepository, shortRevision, subject } from '../../ui/format.ts';
import { Spinner } from '../../ui/icons.tsx';
import { commitHref } from '../../ui/safe-href.ts';
import { LongText } from '../../ui/long-text.tsx';
import { SafeLink } from '../../ui/safe-link.tsx';
import { Flags, Health, Sync } from '../../ui/status.tsx';
import { Time } from '../../ui/time.tsx';
import type { Pending } from './pending.ts';

/** The header: how it is, what is applied and by whom, where it comes from and goes to, what happened last. */
export function Facts({ app, pending }: { app: ApplicationDetail; pending: Pending | undefined }) {
  const running = app.operationState?.phase === 'Running' || app.operation === 'Running';
  return (
    <dl className="facts">
      <Fact title="Health">
        <div className="fact-line wrap">
          <Health status={app.health} message={app.healthMessage} stale={app.stale} />
          <Flags app={{ ...app, operation: undefined }} />
        </div>
        {app.healthMessage === undefined ? null : (
          <div className="fact-more">
            <LongText text={app.healthMessage} label="Health message" lines={2} />
          </div>
        )}
      </Fact>
      <Fact title="Sync status">
        <div className="fact-line">
          <Sync status={app.sync} running={running} stale={app.stale} />
          <span className="muted">{app.automated ? 'automated' : 'by hand'}</span>
        </div>
        <div className="fact-more">
          {counted(app.objects, 'object')}
          {app.drifted > 0 ? `, ${app.drifted} with drift` : ''}
        </div>
      </Fact>
      <Fact title="Revision">
        <RevisionFact app={app} />
      </Fact>
      <Fact title="Last operation">
        <OperationFact app={app} pending={pending} />
      </Fact>
      <Fact title="Source">
        <div className="fact-line cut">
          <SafeLink href={app.repository} className="cut">
            {shortRepository(app.repository)}
          </SafeLink>
        </div>
        <div className="fact-more">
          <span className="mono">{app.path === '' ? '.' : app.path}</span> at{' '}
          <span className="mono">{app.targetRevision}</span>
        </div>
      </Fact>
      <Fact title="Destination">
        <div className="fact-line cut">
          <Destination app={app} />
        </div>
        <div className="fact-more">project {app.project}</div>
      </Fact>
    </dl>
  );
}

function Fact({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function RevisionFact({ app }: { app: ApplicationDetail }) {
  const revision = app.revision ?? app.desired?.revision;
  if (revision === undefined) return <div className="muted">none yet</div>;
  const commit = [app.commit, app.desired?.commit].find((candidate) => candidate?.sha === revision);
  const href = commitHref(app.repository, revision);
  const ahead =
    app.desired !== undefined && app.revision !== undefined && app.desired.revision !== app.revision
      ? app.desired
      : undefined;
  return (
    <>
      <div className="fact-line" title={commit?.message}>
        {href === undefined ? (
          <span className="mono">{shortRevision(revision)}</span>
        ) : (
          <SafeLink href={href} className="mono">
            {shortRevision(revision)}
          </SafeLink>
        )}
        <span className="cut">{commit === undefined ? '' : subject(commit.message)}</span>
      </div>
      <div className="fact-more">
        {commit === undefined ? null : (
          <>
            {commit.author}, <Time at={commit.time} />
          </>
        )}
        {ahead === undefined ? null : (
          <span className="warn">
            {' '}
            · <span className="mono">{shortRevision(ahead.revision)}</span> is desired, not applied yet
          </span>
        )}
      </div>
    </>
  );
}

function OperationFact({ app, pending }: { app: ApplicationDetail; pending: Pending | undefined }) {
  const operation = app.operationState;
  if (pending !== undefined) {
    return (
      <>
        <div className="fact-line">
          <Spinner /> {pending.what} accepted
        </div>
        <div className="fact-more">generation {pending.generation}, waiting for the agent</div>
      </>
    );
  }
  if (operation === undefined) return <div className="muted">none yet</div>;
  const running = operation.phase === 'Running' || operation.phase === 'Terminating';
  const by = operation.initiatedBy.automated === true ? 'automated' : operation.initiatedBy.username;
  return (
    <>
      <div className="fact-line">
        {running ? <Spinner /> : null}
        <span className={operation.phase === 'Failed' || operation.phase === 'Error' ? 'bad' : undefined}>
          {operation.phase}
        </span>
        <span className="muted">
          <Time at={operation.finishedAt ?? operation.startedAt} />
          {operation.finishedAt === undefined ? '' : `, took ${duration(operation.startedAt, operation.finishedAt)}`}
        </span>
      </div>
      <div className="fact-more cut" title={operation.message}>
        generation {operation.generation}
        {by === undefined ? '' : ` · ${by}`}
        {operation.retryCount > 0 ? ` · ${counted(operation.retryCount, 'retry', 'retries')}` : ''}
      </div>
    </>
  );
}
