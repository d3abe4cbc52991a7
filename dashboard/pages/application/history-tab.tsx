import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApplicationDetail, HistoryView } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { historyQuery } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Empty } from '../../ui/empty.tsx';
import { counted, destinationTitle, shortRevision, subject } from '../../ui/format.ts';
import { QueryView } from '../../ui/query-view.tsx';
import { commitHref } from '../../ui/safe-href.ts';
import { SafeLink } from '../../ui/safe-link.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { Time } from '../../ui/time.tsx';
import { useSession } from '../session.ts';
import { whyNotRollBack } from './capabilities.ts';
import type { Pending } from './pending.ts';
import { useChange } from './use-change.ts';

/** Every generation that was published, newest first; any older one can be brought back. */
export function HistoryTab({ app, onAccepted }: { app: ApplicationDetail; onAccepted: (pending: Pending) => void }) {
  const query = useQuery(historyQuery(useApi(), app.id, useStreamState() === 'live'));
  const [chosen, setChosen] = useState<HistoryView | undefined>(undefined);
  return (
    <>
      <QueryView query={query} loading={<SkeletonRows label="Loading the history" />}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing has been published yet" />
          ) : (
            <HistoryTable app={app} items={items} onChoose={setChosen} />
          )
        }
      </QueryView>
      {chosen === undefined ? null : (
        <RollbackDialog app={app} entry={chosen} onClose={() => setChosen(undefined)} onAccepted={onAccepted} />
      )}
    </>
  );
}

function HistoryTable({
  app,
  items,
  onChoose,
}: {
  app: ApplicationDetail;
  items: HistoryView[];
  onChoose: (entry: HistoryView) => void;
}) {
  const session = useSession();
  return (
    <table className="table history">
      <thead>
        <tr>
          <th scope="col" className="right">
            Generation
          </th>
          <th scope="col">Revision</th>
          <th scope="col" className="wide-only">
            Author
          </th>
          <th scope="col">Published</th>
          <th scope="col" className="wide-only">
            Deployed
          </th>
          <th scope="col" className="wide-only">
            By
          </th>
          <th scope="col" className="right wide-only">
            Objects
          </th>
          <th scope="col">
            <span className="visually-hidden">Action</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {items.map((entry) => (
          <tr key={entry.generation} className={entry.current ? 'current' : undefined}>
            <th scope="row" className="right num">
              {entry.generation}
            </th>
            <td>
              <div className="revision" title={entry.commit?.message}>
                <RevisionLink repository={app.repository} revision={entry.revision} />
                <span className="cut">{entry.commit === undefined ? '' : subject(entry.commit.message)}</span>
                {entry.rollbackOf === undefined ? null : (
                  <span className="flag quiet">rollback to {entry.rollbackOf}</span>
                )}
              </div>
            </td>
            <td className="wide-only muted cut">{entry.commit?.author ?? ''}</td>
            <td className="muted">
              <Time at={entry.publishedAt} />
            </td>
            <td className="wide-only muted">
              {entry.deployedAt === undefined ? 'not deployed' : <Time at={entry.deployedAt} />}
            </td>
            <td className="wide-only muted cut">{entry.initiatedBy}</td>
            <td className="right num wide-only">{entry.objectCount}</td>
            <td className="right">
              {entry.current ? (
                <span className="flag quiet">desired now</span>
              ) : (
                <Button
                  kind="quiet"
                  reason={whyNotRollBack(session, app, entry)}
                  onClick={() => onChoose(entry)}
                  label={`Roll back to generation ${entry.generation}`}
                >
                  Roll back…
                </Button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RevisionLink({ repository, revision }: { repository: string; revision: string }) {
  const href = commitHref(repository, revision);
  const text = shortRevision(revision);
  return href === undefined ? (
    <span className="mono">{text}</span>
  ) : (
    <SafeLink href={href} className="mono">
      {text}
    </SafeLink>
  );
}

function RollbackDialog({
  app,
  entry,
  onClose,
  onAccepted,
}: {
  app: ApplicationDetail;
  entry: HistoryView;
  onClose: () => void;
  onAccepted: (pending: Pending) => void;
}) {
  const api = useApi();
  const change = useChange(app.id, {
    run: (generation: number) => api.rollback(app.id, generation),
    said: 'Rollback accepted',
    what: 'Rollback',
    onAccepted,
    onDone: onClose,
    inDialog: true,
  });
  return (
    <Dialog
      title={`Roll back ${app.name}?`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: 'Roll back', kind: 'danger', run: () => change.mutate(entry.generation) }}
    >
      <p>
        A new generation with the {counted(entry.objectCount, 'object')} of generation{' '}
        <span className="num">{entry.generation}</span> is published for {destinationTitle(app)}.
      </p>
      <p className="commit">
        <span className="mono">{shortRevision(entry.revision)}</span>{' '}
        {entry.commit === undefined ? '' : `${subject(entry.commit.message)} (${entry.commit.author})`}
      </p>
      {app.automated ? (
        <p className="hint">
          Sync is automated: the next change in the repository replaces it again. Suspend the application to prevent
          that.
        </p>
      ) : null}
    </Dialog>
  );
}
