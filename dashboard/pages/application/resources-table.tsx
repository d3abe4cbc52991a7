import { useRef } from 'react';
import type { ApplicationDetail, ResourceView } from '#shared/messages/api.ts';
import { Empty } from '../../ui/empty.tsx';
import { Health, Sync } from '../../ui/status.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useRows } from '../../ui/use-rows.ts';
import { useWindow } from '../../ui/use-window.ts';
import { NoMatch } from './no-match.tsx';

interface Props {
  app: ApplicationDetail;
  text: string;
  onlyTrouble: boolean;
  selected: string;
  onSelect: (key: string) => void;
  onClear: () => void;
}

/** The declared resources without what they own, with what the last operation did to each. */
export function ResourcesTable({ app, text, onlyTrouble, selected, onSelect, onClear }: Props) {
  const shown = app.resources.filter((resource) => matches(resource, text) && (!onlyTrouble || isTrouble(resource)));
  const scroller = useRef<HTMLDivElement>(null);
  const view = useWindow(scroller, { rows: shown.length, rowPx: 28, headPx: 30 });
  const rows = useRows(shown.length, view.reveal);
  useHotkeys(rows.bindings);
  if (app.resources.length === 0) return <Empty title="No resources yet" />;
  if (shown.length === 0) return <NoMatch onClear={onClear} />;
  const results = new Map(
    app.operationState?.resources.map((result) => [
      `${result.group}/${result.kind}/${result.namespace}/${result.name}`,
      result,
    ]),
  );
  return (
    <div ref={scroller} className="scroller">
      <table className="table resources" aria-rowcount={shown.length + 1}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Kind</th>
            <th scope="col" className="wide-only">
              Group
            </th>
            <th scope="col" className="wide-only">
              Namespace
            </th>
            <th scope="col">Health</th>
            <th scope="col">Sync status</th>
            <th scope="col" className="wide-only">
              Last operation
            </th>
          </tr>
        </thead>
        <tbody>
          <tr className="spacer" aria-hidden="true">
            <td style={{ height: view.beforePx }} />
          </tr>
          {shown.slice(view.start, view.end).map((resource, offset) => {
            const index = view.start + offset;
            const result = results.get(resource.key);
            return (
              <tr
                key={resource.key}
                aria-rowindex={index + 2}
                aria-selected={resource.key === selected}
                className={resource.key === selected ? 'selected' : undefined}
                onClick={() => onSelect(resource.key)}
              >
                <th scope="row" className="cut">
                  <button type="button" className="link" ref={rows.refFor(index)} onFocus={() => rows.setActive(index)}>
                    {resource.name}
                  </button>
                </th>
                <td className="cut">{resource.kind}</td>
                <td className="wide-only muted cut">{resource.group || 'core'}</td>
                <td className="wide-only muted cut">{resource.namespace || '–'}</td>
                <td>
                  {resource.health === undefined ? null : (
                    <Health status={resource.health.status} message={resource.health.message} />
                  )}
                </td>
                <td>
                  <Sync status={resource.status} />
                </td>
                <td
                  className={`wide-only cut ${result?.status === 'SyncFailed' ? 'bad' : 'muted'}`}
                  title={result?.message}
                >
                  {result === undefined ? '' : `${result.action}${result.message === '' ? '' : `: ${result.message}`}`}
                </td>
              </tr>
            );
          })}
          <tr className="spacer" aria-hidden="true">
            <td style={{ height: view.afterPx }} />
          </tr>
        </tbody>
      </table>
    </div>
  );
}

function matches(resource: ResourceView, text: string): boolean {
  return `${resource.kind} ${resource.namespace}/${resource.name} ${resource.group}`
    .toLowerCase()
    .includes(text.trim().toLowerCase());
}

function isTrouble(resource: ResourceView): boolean {
  const health = resource.health?.status;
  return resource.status === 'OutOfSync' || (health !== undefined && health !== 'Healthy' && health !== 'Suspended');
}
