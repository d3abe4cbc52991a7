import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { useSearchParams } from 'wouter';
import type { ApplicationDetail, TreeView } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { treeQuery } from '../../api/queries.ts';
import type { TreeNode } from '../../resource-tree/build-tree.ts';
import { buildTree, filterTree, isTrouble, matchesText } from '../../resource-tree/build-tree.ts';
import { ResourceTree } from '../../resource-tree/resource-tree.tsx';
import { Icon } from '../../ui/icons.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { NoMatch } from './no-match.tsx';
import { ResourcePanel } from './resource-panel.tsx';
import { ResourcesTable } from './resources-table.tsx';

/** What the application consists of, as a tree with what the objects own, or as a table; one object opens beside it. */
export function ResourcesTab({ app }: { app: ApplicationDetail }) {
  const tree = useQuery(treeQuery(useApi(), app.id));
  const { state, set } = useTabState();
  const filter = useRef<HTMLInputElement>(null);
  useHotkeys({
    '/': () => filter.current?.select(),
    Escape: state.resource === '' ? undefined : () => set({ resource: '' }),
  });
  const nodes = useMemo(() => (tree.data === undefined ? undefined : rooted(app, tree.data)), [app, tree.data]);
  const filtered = state.filter !== '' || state.only !== '';
  const matches = (node: TreeNode) =>
    node.id !== rootId && matchesText(node, state.filter) && (state.only === '' || isTrouble(node));
  const clear = () => set({ filter: '', only: '' });
  return (
    <div className={state.resource === '' ? 'beside' : 'beside open'}>
      <section className="beside-main" aria-label="Resources">
        <div className="tab-tools">
          <Segmented
            label="View"
            value={state.view}
            options={[
              ['tree', 'Tree'],
              ['table', 'Table'],
            ]}
            onChange={(view) => set({ view })}
          />
          <label className="search small">
            <Icon name="search" />
            <span className="visually-hidden">Filter resources</span>
            <input
              ref={filter}
              type="search"
              placeholder="Filter by kind or name"
              spellCheck={false}
              value={state.filter}
              onChange={(event) => set({ filter: event.target.value })}
            />
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={state.only !== ''}
              onChange={(event) => set({ only: event.target.checked ? 'trouble' : '' })}
            />
            Only trouble
          </label>
        </div>
        {tree.data?.live === false ? <NotLive tree={tree.data} /> : null}
        {state.view === 'table' ? (
          <ResourcesTable
            app={app}
            text={state.filter}
            onlyTrouble={state.only !== ''}
            selected={state.resource}
            onSelect={(resource) => set({ resource })}
            onClear={clear}
          />
        ) : (
          <QueryView
            query={{ data: nodes, error: tree.error, refetch: tree.refetch }}
            loading={<SkeletonRows rows={10} label="Loading the resource tree" />}
          >
            {(all) => {
              const shown = filtered ? filterTree(all, matches) : all;
              if (shown.length === 0) return <NoMatch onClear={clear} />;
              return (
                <ResourceTree
                  nodes={shown}
                  namespace={app.destinationNamespace}
                  selected={state.resource || undefined}
                  onSelect={(resource) => set({ resource })}
                  open={filtered}
                />
              );
            }}
          </QueryView>
        )}
      </section>
      {state.resource === '' ? null : (
        <ResourcePanel
          key={state.resource}
          app={app}
          resourceKey={state.resource}
          onClose={() => set({ resource: '' })}
        />
      )}
    </div>
  );
}

function NotLive({ tree }: { tree: TreeView }) {
  return (
    <div className="strip warn" role="status">
      <Icon name="clock" />
      <span>The agent did not answer, so what the resources own is not shown. {tree.error}</span>
    </div>
  );
}

const rootId = 'application';

/** The application itself on top of its resources. */
function rooted(app: ApplicationDetail, view: TreeView): TreeNode[] {
  const children = buildTree(view);
  return [
    {
      id: rootId,
      key: '',
      group: '',
      kind: app.kind,
      namespace: app.namespace,
      name: app.name,
      declared: true,
      status: app.sync,
      health: app.health,
      children,
    },
  ];
}

type Param = 'view' | 'filter' | 'only' | 'resource';

/** The address holds which view, filter and object. */
function useTabState() {
  const [params, setParams] = useSearchParams();
  const state = {
    view: params.get('view') === 'table' ? ('table' as const) : ('tree' as const),
    filter: params.get('filter') ?? '',
    only: params.get('only') ?? '',
    resource: params.get('resource') ?? '',
  };
  const set = (change: Partial<Record<Param, string>>) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [name, value] of Object.entries(change)) {
          if (value === '' || (name === 'view' && value === 'tree')) next.delete(name);
          else next.set(name, value);
        }
        return next;
      },
      { replace: true },
    );
  return { state, set };
}
