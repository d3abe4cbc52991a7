import { useEffect, useRef } from 'react';
import { Link } from 'wouter';
import type { ApplicationSummary } from '#shared/messages/api.ts';
import { applicationPath } from '../../paths.ts';
import { Destination } from '../../ui/destination.tsx';
import { destinationTitle, shortRevision, subject } from '../../ui/format.ts';
import { Icon, Spinner } from '../../ui/icons.tsx';
import { Flags, Health, Sync } from '../../ui/status.tsx';
import { Time } from '../../ui/time.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useNarrow } from '../../ui/use-narrow.ts';
import { useRows } from '../../ui/use-rows.ts';
import { useWindow } from '../../ui/use-window.ts';
import type { ListQuery, SortField } from './list-query.ts';
import { toggleSort } from './list-query.ts';

export interface ApplicationsTableProps {
  items: ApplicationSummary[];
  total: number;
  query: ListQuery;
  onChange: (query: ListQuery) => void;
  /** The rows answer an earlier question. */
  old: boolean;
  more: { has: boolean; loading: boolean; load: () => void };
}

const headPx = 30;

/** One row per application. Only the rows in view are in the document; the next page is read before its rows come into view. */
export function ApplicationsTable({ items, total, query, onChange, old, more }: ApplicationsTableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const rowPx = useNarrow() ? 52 : 30;
  const view = useWindow(scroller, { rows: items.length, rowPx, headPx });
  const rows = useRows(items.length, view.reveal);
  useHotkeys(rows.bindings);
  const nearEnd = view.end >= items.length - 40;
  useEffect(() => {
    if (nearEnd && more.has && !more.loading) more.load();
  });
  return (
    <div ref={scroller} className={old ? 'scroller old' : 'scroller'} aria-busy={old}>
      <table className="table applications" aria-rowcount={total + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <Head text="Name" field="name" query={query} onChange={onChange} />
            <Head text="Health" field="health" query={query} onChange={onChange} />
            <Head text="Sync status" field="sync" query={query} onChange={onChange} />
            <th scope="col" className="wide-only">
              Revision
            </th>
            <th scope="col" className="wide-only col-project">
              Project
            </th>
            <th scope="col" className="wide-only">
              Destination
            </th>
            <Head text="Updated" field="updated" query={query} onChange={onChange} right />
          </tr>
        </thead>
        <tbody>
          {view.beforePx > 0 ? <Spacer px={view.beforePx} /> : null}
          {items.slice(view.start, view.end).map((app, offset) => {
            const index = view.start + offset;
            return (
              <Row
                key={app.id}
                app={app}
                index={index}
                active={index === rows.active}
                linkRef={rows.refFor(index)}
                onActive={rows.setActive}
              />
            );
          })}
          {view.afterPx > 0 ? <Spacer px={view.afterPx} /> : null}
        </tbody>
      </table>
      {more.loading ? (
        <div className="more" role="status">
          <Spinner /> Loading more
        </div>
      ) : null}
    </div>
  );
}

interface RowProps {
  app: ApplicationSummary;
  index: number;
  active: boolean;
  linkRef: ((node: HTMLElement | null) => void) | undefined;
  onActive: (index: number) => void;
}

function Row({ app, index, active, linkRef, onActive }: RowProps) {
  return (
    <tr aria-rowindex={index + 2} className={active ? 'active' : undefined} data-id={app.id}>
      <th scope="row">
        <div className="name-cell">
          <Link
            href={applicationPath(app.id)}
            className="row-link"
            ref={linkRef as ((node: HTMLAnchorElement | null) => void) | undefined}
            onFocus={() => onActive(index)}
          >
            <span className="cut">{app.name}</span>
          </Link>
          {app.kind === 'Kustomization' ? (
            <span className="kind cut" title="Kustomization">
              Kustomization
            </span>
          ) : null}
          <Flags app={app} />
        </div>
        <div className="narrow-only second-line cut">
          <Destination app={app} />
        </div>
      </th>
      <td>
        <Health status={app.health} message={app.healthMessage} stale={app.stale} />
      </td>
      <td>
        <Sync status={app.sync} running={app.operation === 'Running'} drifted={app.drifted} stale={app.stale} />
      </td>
      <td className="wide-only">
        <Revision app={app} />
      </td>
      <td className="wide-only cut col-project" title={app.project}>
        {app.project}
      </td>
      <td className="wide-only cut" title={destinationTitle(app)}>
        <Destination app={app} />
      </td>
      <td className="right muted">
        <Time at={app.updatedAt} short />
      </td>
    </tr>
  );
}

/** What went wrong where something did, else who changed what. */
function Revision({ app }: { app: ApplicationSummary }) {
  const revision = app.revision ?? app.commit?.sha;
  const text = app.message ?? (app.commit === undefined ? '' : subject(app.commit.message));
  const title = app.message ?? (app.commit === undefined ? undefined : `${app.commit.author}: ${app.commit.message}`);
  return (
    <div className="revision cut" title={title}>
      <span className="mono">{revision === undefined ? '–' : shortRevision(revision)}</span>
      {app.message === undefined ? null : (
        <span className="bad">
          <Icon name="warning" />
        </span>
      )}
      <span className={app.message === undefined ? 'muted cut' : 'cut'}>{text}</span>
    </div>
  );
}

function Head({
  text,
  field,
  query,
  onChange,
  right = false,
}: {
  text: string;
  field: SortField;
  query: ListQuery;
  onChange: (query: ListQuery) => void;
  right?: boolean;
}) {
  const sorted = query.sort === field;
  return (
    <th
      scope="col"
      className={right ? 'right' : undefined}
      aria-sort={sorted ? (query.descending ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" className="sort" onClick={() => onChange(toggleSort(query, field))}>
        {text}
        {sorted ? <Icon name={query.descending ? 'down' : 'up'} /> : null}
      </button>
    </th>
  );
}

/** One cell only: a span over columns that a narrow screen hides would bring them back as empty ones. */
function Spacer({ px }: { px: number }) {
  return (
    <tr className="spacer" aria-hidden="true">
      <td style={{ height: px }} />
    </tr>
  );
}
