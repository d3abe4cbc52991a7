import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import type { ApplicationDetail, ResourceDetail } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { resourceQuery } from '../../api/queries.ts';
import { CodeView } from '../../diff-view/code-view.tsx';
import { DiffView } from '../../diff-view/diff-view.tsx';
import { ownedPart } from '../../diff-view/owned-part.ts';
import { toYaml } from '../../diff-view/to-text.ts';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { keyTitle } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { Health, Sync } from '../../ui/status.tsx';
import { DriftFields } from './drift-fields.tsx';

type View = 'diff' | 'live' | 'desired';

/** One object beside the list: its state, what the last operation did to it, and its text. */
export function ResourcePanel({
  app,
  resourceKey,
  onClose,
}: {
  app: ApplicationDetail;
  resourceKey: string;
  onClose: () => void;
}) {
  const query = useQuery(resourceQuery(useApi(), app.id, resourceKey));
  const resource = app.resources.find((candidate) => candidate.key === resourceKey);
  const drift = app.drift.find((candidate) => candidate.key === resourceKey);
  const result = app.operationState?.resources.find(
    (candidate) => `${candidate.group}/${candidate.kind}/${candidate.namespace}/${candidate.name}` === resourceKey,
  );
  const [view, setView] = useState<View>(resource?.status === 'OutOfSync' ? 'diff' : 'live');
  return (
    <aside className="panel" aria-label={keyTitle(resourceKey)}>
      <header>
        <h2 className="cut" title={resourceKey}>
          {keyTitle(resourceKey)}
        </h2>
        <Button kind="quiet" label="Close" title="Close (Esc)" onClick={onClose}>
          <Icon name="close" />
        </Button>
      </header>
      {resource === undefined ? null : (
        <div className="panel-status">
          {resource.health === undefined ? null : (
            <Health status={resource.health.status} message={resource.health.message} />
          )}
          <Sync status={resource.status} />
          {resource.health?.message === undefined ? null : <p>{resource.health.message}</p>}
          {result === undefined || result.message === '' ? null : (
            <p className={result.status === 'SyncFailed' ? 'bad' : 'muted'}>{result.message}</p>
          )}
        </div>
      )}
      <QueryView query={query} loading={<SkeletonRows rows={8} label="Loading the object" />}>
        {(detail) => (
          <>
            {detail.error === undefined ? null : <NotRead error={detail.error} />}
            <DriftFields fields={detail.differences} drift={drift} />
            <div className="tab-tools">
              <Segmented<View>
                label="Which text"
                value={view}
                options={[
                  ['diff', 'Diff'],
                  ['live', 'Live'],
                  ['desired', 'Desired'],
                ]}
                onChange={setView}
              />
            </div>
            <Text detail={detail} view={view} />
          </>
        )}
      </QueryView>
    </aside>
  );
}

export function NotRead({ error }: { error: string }) {
  return (
    <div className="strip warn" role="status">
      <Icon name="warning" />
      <span>{error}</span>
    </div>
  );
}

function Text({ detail, view }: { detail: ResourceDetail; view: View }): ReactNode {
  if (view === 'diff') {
    if (detail.desired === undefined)
      return <Empty title="This object is not declared: there is nothing to compare it with" />;
    if (detail.live === undefined) return <Empty title="The live object is not known" />;
    return (
      <DiffView
        live={toYaml(ownedPart(detail.live, detail.desired))}
        desired={toYaml(detail.desired)}
        split={false}
        label="Live compared with desired"
      />
    );
  }
  const value = view === 'live' ? detail.live : detail.desired;
  if (value === undefined)
    return <Empty title={view === 'live' ? 'The live object is not known' : 'This object is not declared'} />;
  return <CodeView text={toYaml(value)} label={`the ${view} object`} />;
}
