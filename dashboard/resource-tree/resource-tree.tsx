import type { ReactNode } from 'react';
import { useRef, useState } from 'react';
import { objectTitle } from '../ui/format.ts';
import { HealthIcon, Icon } from '../ui/icons.tsx';
import { Health, Sync } from '../ui/status.tsx';
import { Time } from '../ui/time.tsx';
import { useHotkeys } from '../ui/use-hotkeys.tsx';
import { useNarrow } from '../ui/use-narrow.ts';
import { useRows } from '../ui/use-rows.ts';
import { useWindow } from '../ui/use-window.ts';
import type { TreeNode } from './build-tree.ts';
import { countNodes } from './build-tree.ts';
import type { TreeRow } from './lay-out-tree.ts';
import { layOutTree } from './lay-out-tree.ts';

export interface ResourceTreeProps {
  nodes: TreeNode[];
  /** The namespace that goes without saying. */
  namespace: string;
  selected: string | undefined;
  onSelect: (key: string) => void;
  /** Everything open, whatever was folded: for a filtered tree. */
  open: boolean;
}

const headPx = 30;
/** Above this many objects only the resources themselves are open at first. */
const foldAbove = 150;

/** Resources and what they own as a tree grid: arrows move and fold, Enter opens. Only rows in view are in the document. */
export function ResourceTree({ nodes, namespace, selected, onSelect, open }: ResourceTreeProps) {
  const [flipped, setFlipped] = useState<ReadonlySet<string>>(new Set());
  const openAtFirst = countNodes(nodes) <= foldAbove;
  const laidOut = layOutTree(nodes, (node, depth) => open || (openAtFirst || depth === 0) !== flipped.has(node.id));
  const scroller = useRef<HTMLDivElement>(null);
  const view = useWindow(scroller, { rows: laidOut.length, rowPx: useNarrow() ? 36 : 28, headPx });
  const rows = useRows(laidOut.length, view.reveal);
  const active = laidOut[rows.active];
  const flip = (node: TreeNode) => {
    const next = new Set(flipped);
    if (!next.delete(node.id)) next.add(node.id);
    setFlipped(next);
  };
  useHotkeys({
    ...rows.bindings,
    ArrowRight: () => {
      if (active === undefined) return;
      if (active.node.children.length > 0 && !active.expanded) flip(active.node);
      else if (active.expanded) rows.moveTo(rows.active + 1);
    },
    ArrowLeft: () => {
      if (active === undefined) return;
      if (active.expanded) flip(active.node);
      else rows.moveTo(laidOut.findLastIndex((row, index) => index < rows.active && row.depth < active.depth));
    },
  });
  return (
    <div ref={scroller} className="scroller">
      <table className="table tree" role="treegrid" aria-label="Resources" aria-rowcount={laidOut.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Object</th>
            <th scope="col" className="col-status">
              Health
            </th>
            <th scope="col" className="col-status">
              Sync status
            </th>
            <th scope="col" className="wide-only">
              Info
            </th>
            <th scope="col" className="right wide-only col-age">
              Age
            </th>
          </tr>
        </thead>
        <tbody>
          <tr className="spacer" aria-hidden="true">
            <td style={{ height: view.beforePx }} />
          </tr>
          {laidOut.slice(view.start, view.end).map((row, offset) => {
            const index = view.start + offset;
            return (
              <Row
                key={row.node.id}
                row={row}
                index={index}
                namespace={namespace}
                selected={row.node.key === selected}
                active={index === rows.active}
                refForRow={rows.refFor(index)}
                onActive={() => rows.setActive(index)}
                onFlip={() => flip(row.node)}
                onSelect={() => onSelect(row.node.key)}
              />
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

interface RowProps {
  row: TreeRow;
  index: number;
  namespace: string;
  selected: boolean;
  active: boolean;
  refForRow: ((node: HTMLElement | null) => void) | undefined;
  onActive: () => void;
  onFlip: () => void;
  onSelect: () => void;
}

function Row({ row, index, namespace, selected, active, refForRow, onActive, onFlip, onSelect }: RowProps) {
  const { node } = row;
  const hidden = !row.expanded && node.children.length > 0;
  return (
    <tr
      ref={refForRow}
      tabIndex={active || index === 0 ? 0 : -1}
      aria-rowindex={index + 2}
      aria-level={row.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-expanded={node.children.length === 0 ? undefined : row.expanded}
      aria-selected={selected}
      aria-label={objectTitle(node)}
      className={`${selected ? 'selected' : ''}${active ? ' active' : ''}`}
      onFocus={onActive}
      onClick={onSelect}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && event.target === event.currentTarget) onSelect();
      }}
    >
      <td role="gridcell">
        <div className="tree-cell">
          <Rails row={row} />
          {node.children.length === 0 ? (
            <span className="fold-none" />
          ) : (
            <button
              type="button"
              tabIndex={-1}
              className={row.expanded ? 'fold open' : 'fold'}
              aria-label={row.expanded ? 'Fold' : 'Unfold'}
              onClick={(event) => {
                event.stopPropagation();
                onFlip();
              }}
            >
              <Icon name="chevron" />
            </button>
          )}
          <span className="object-kind cut">{node.kind}</span>
          <span className="object-name cut" title={objectTitle(node)}>
            {node.namespace === '' || node.namespace === namespace ? (
              ''
            ) : (
              <span className="muted">{node.namespace}/</span>
            )}
            {node.name}
          </span>
          <Marks node={node} />
          {hidden ? (
            <span className="muted hidden-count">
              {node.worst !== undefined && node.worst !== node.health ? <HealthIcon status={node.worst} /> : null}
              {countNodes(node.children)}
            </span>
          ) : null}
        </div>
      </td>
      <td role="gridcell">
        {node.health === undefined ? null : <Health status={node.health} message={node.healthMessage} />}
      </td>
      <td role="gridcell">{node.status === undefined ? null : <Sync status={node.status} />}</td>
      <td role="gridcell" className="wide-only muted cut" title={node.healthMessage ?? node.info}>
        {node.info ?? node.healthMessage ?? ''}
      </td>
      <td role="gridcell" className="wide-only right muted">
        {node.createdAt === undefined ? null : <Time at={node.createdAt} short />}
      </td>
    </tr>
  );
}

function Marks({ node }: { node: TreeNode }): ReactNode {
  return (
    <>
      {node.requiresPruning === true ? <Mark tone="warn" word="to be pruned" /> : null}
      {node.hook === undefined ? null : <Mark tone="quiet" word={node.hook} />}
      {node.syncWave === undefined || node.syncWave === 0 ? null : (
        <Mark tone="quiet num" word={`wave ${node.syncWave}`} />
      )}
    </>
  );
}

function Mark({ tone, word }: { tone: string; word: string }) {
  return (
    <span className={`flag ${tone}`} title={word}>
      <span className="word">{word}</span>
    </span>
  );
}

/** The lines that tie a row to its owner: decoration, the level is in the row's attributes. */
function Rails({ row }: { row: TreeRow }) {
  return (
    <span className="rails" aria-hidden="true">
      {row.rails.slice(1).map((goesOn, index) => (
        // Rails have nothing but their place.
        // oxlint-disable-next-line react/no-array-index-key
        <span key={index} className={goesOn ? 'rail on' : 'rail'} />
      ))}
      {row.depth > 0 ? <span className={row.last ? 'elbow last' : 'elbow'} /> : null}
    </span>
  );
}
