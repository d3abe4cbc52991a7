import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useSearchParams } from 'wouter';
import type { ApplicationDetail, ResourceView } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { resourceQuery } from '../../api/queries.ts';
import { DiffView } from '../../diff-view/diff-view.tsx';
import { ownedPart } from '../../diff-view/owned-part.ts';
import { toYaml } from '../../diff-view/to-text.ts';
import { Empty } from '../../ui/empty.tsx';
import { objectTitle } from '../../ui/format.ts';
import { SyncIcon } from '../../ui/icons.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useNarrow } from '../../ui/use-narrow.ts';
import { useRows } from '../../ui/use-rows.ts';
import { useWindow } from '../../ui/use-window.ts';
import { DriftFields } from './drift-fields.tsx';
import { NotRead } from './resource-panel.tsx';

/** What differs between cluster and snapshot, object by object. */
export function DiffTab({ app }: { app: ApplicationDetail }) {
  const [params, setParams] = useSearchParams();
  const [all, setAll] = useState(false);
  const differing = app.resources.filter((resource) => resource.status === 'OutOfSync' || hasDrift(app, resource));
  const listed = all || differing.length === 0 ? app.resources : differing;
  const selected = params.get('resource') ?? differing[0]?.key;
  const select = (key: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        next.set('resource', key);
        return next;
      },
      { replace: true },
    );
  return (
    <div className="diff-tab">
      <section className="diff-list" aria-label="Resources">
        <div className="tab-tools">
          {differing.length === 0 ? (
            <span className="muted">Nothing differs</span>
          ) : (
            <Segmented
              label="Which resources"
              value={all ? 'all' : 'differing'}
              options={[
                ['differing', `Differing ${differing.length}`],
                ['all', `All ${app.resources.length}`],
              ]}
              onChange={(next) => setAll(next === 'all')}
            />
          )}
        </div>
        <List resources={listed} selected={selected} onSelect={select} />
      </section>
      {selected === undefined ? (
        <Empty title="No drift">
          <p>
            Every live field that this application owns matches the snapshot. Choose a resource to compare it anyway.
          </p>
        </Empty>
      ) : (
        <Comparison key={selected} app={app} resourceKey={selected} />
      )}
    </div>
  );
}

function List({
  resources,
  selected,
  onSelect,
}: {
  resources: ResourceView[];
  selected: string | undefined;
  onSelect: (key: string) => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const view = useWindow(scroller, { rows: resources.length, rowPx: 28 });
  const rows = useRows(resources.length, view.reveal);
  useHotkeys(rows.bindings);
  return (
    <div ref={scroller} className="scroller">
      <div style={{ height: view.beforePx }} />
      {resources.slice(view.start, view.end).map((resource, offset) => {
        const index = view.start + offset;
        return (
          <button
            key={resource.key}
            ref={rows.refFor(index)}
            type="button"
            className="list-item"
            aria-current={resource.key === selected}
            onFocus={() => rows.setActive(index)}
            onClick={() => onSelect(resource.key)}
            title={objectTitle(resource)}
          >
            <SyncIcon status={resource.status} />
            <span className="cut">
              <span className="muted">{resource.kind}</span> {resource.name}
            </span>
          </button>
        );
      })}
      <div style={{ height: view.afterPx }} />
    </div>
  );
}

function Comparison({ app, resourceKey }: { app: ApplicationDetail; resourceKey: string }) {
  const query = useQuery(resourceQuery(useApi(), app.id, resourceKey));
  const narrow = useNarrow();
  const [layout, setLayout] = useState<'split' | 'unified'>('split');
  const [whole, setWhole] = useState(false);
  const drift = app.drift.find((candidate) => candidate.key === resourceKey);
  return (
    <section className="diff-main" aria-label="Comparison">
      <div className="tab-tools">
        {narrow ? null : (
          <Segmented
            label="Layout"
            value={layout}
            options={[
              ['split', 'Side by side'],
              ['unified', 'Unified'],
            ]}
            onChange={setLayout}
          />
        )}
        <label className="check">
          <input type="checkbox" checked={whole} onChange={(event) => setWhole(event.target.checked)} />
          With fields set by the cluster
        </label>
      </div>
      <QueryView query={query} loading={<SkeletonRows rows={8} label="Loading the comparison" />}>
        {(detail) => (
          <>
            {detail.error === undefined ? null : <NotRead error={detail.error} />}
            <DriftFields fields={detail.differences} drift={drift} />
            {detail.desired === undefined && detail.live === undefined ? (
              <Empty title="Neither side is known" />
            ) : (
              <>
                <div className="diff-heads" data-split={layout === 'split' && !narrow}>
                  <span>− Live</span>
                  <span>+ Desired, what a sync makes it</span>
                </div>
                <DiffView
                  live={toYaml(whole ? detail.live : ownedPart(detail.live, detail.desired ?? detail.live))}
                  desired={toYaml(detail.desired)}
                  split={layout === 'split' && !narrow}
                  label="Live compared with desired"
                />
              </>
            )}
          </>
        )}
      </QueryView>
    </section>
  );
}

function hasDrift(app: ApplicationDetail, resource: ResourceView): boolean {
  return app.drift.some((drift) => drift.key === resource.key && drift.correctedAt === undefined);
}
