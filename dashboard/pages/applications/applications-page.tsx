import { useInfiniteQuery } from '@tanstack/react-query';
import { useContext, useEffect, useMemo, useRef } from 'react';
import { useSearchParams } from 'wouter';
import type { ApplicationList } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { applicationsQuery } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { count } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { Popover } from '../../ui/popover.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useTitle } from '../../ui/use-title.ts';
import { LastListContext } from '../last-list.ts';
import { ApplicationsTable } from './applications-table.tsx';
import { Facets } from './facets.tsx';
import { FirstSteps } from './first-steps.tsx';
import { HealthBar } from './health-bar.tsx';
import type { ListQuery } from './list-query.ts';
import { isFiltered, listSearch, parseListQuery, withoutFilters } from './list-query.ts';
import { SearchBox } from './search-box.tsx';

/** All applications: the address holds search, filters and order. */
export function ApplicationsPage() {
  useTitle('Applications');
  const { query, search, change } = useListQuery();
  const api = useApi();
  const list = useInfiniteQuery(applicationsQuery(api, search, useStreamState() === 'live'));
  const pages = list.data?.pages;
  const newest = pages?.[0];
  const items = useMemo(() => unique(pages ?? []), [pages]);
  const searchBox = useRef<HTMLInputElement>(null);
  useHotkeys({ '/': () => searchBox.current?.select() });

  const isEmpty = newest !== undefined && newest.total === 0 && !isFiltered(query) && !list.isPlaceholderData;
  if (isEmpty) return <FirstSteps />;
  const facets = newest === undefined ? null : <Facets counts={newest.counts} query={query} onChange={change} />;
  const filters = query.health.length + query.sync.length + query.cluster.length + query.project.length;
  return (
    <main className="page list-page">
      <aside className="sidebar" aria-label="Filters">
        {facets ?? <SkeletonRows rows={6} label="Loading filters" />}
      </aside>
      <section className="list-main" aria-label="Applications">
        <div className="toolbar">
          <h1 className="visually-hidden">Applications</h1>
          <SearchBox ref={searchBox} value={query.search} onChange={(text) => change({ ...query, search: text })} />
          <div className="narrow-filters">
            <Popover
              label="Filters"
              button={
                <>
                  <Icon name="filter" />
                  Filters{filters > 0 ? ` (${filters})` : ''}
                </>
              }
            >
              {() => <div className="filters-panel">{facets}</div>}
            </Popover>
          </div>
          <span className="total num" role="status" aria-label="Number of applications">
            {newest === undefined
              ? ''
              : `${count(newest.total)} ${newest.total === 1 ? 'application' : 'applications'}`}
          </span>
          {isFiltered(query) ? (
            <Button kind="quiet" onClick={() => change(withoutFilters(query))}>
              Clear filters
            </Button>
          ) : null}
        </div>
        {newest === undefined ? null : <HealthBar counts={newest.counts.health} query={query} onChange={change} />}
        <QueryView
          query={{ data: newest, error: list.error, refetch: list.refetch }}
          loading={<SkeletonRows rows={14} label="Loading applications" />}
        >
          {() =>
            items.length === 0 ? (
              <Empty title="No application matches">
                <Button onClick={() => change(withoutFilters(query))}>Clear filters</Button>
              </Empty>
            ) : (
              <ApplicationsTable
                items={items}
                total={newest?.total ?? items.length}
                query={query}
                onChange={change}
                old={list.isPlaceholderData}
                more={{
                  has: list.hasNextPage,
                  loading: list.isFetchingNextPage,
                  load: () => void list.fetchNextPage({ cancelRefetch: false }),
                }}
              />
            )
          }
        </QueryView>
      </section>
    </main>
  );
}

function useListQuery() {
  const [params, setParams] = useSearchParams();
  const last = useContext(LastListContext);
  const text = params.toString();
  const query = useMemo(() => parseListQuery(new URLSearchParams(text)), [text]);
  const search = listSearch(query);
  useEffect(() => {
    last.current = search;
  }, [last, search]);
  // Typing and ticking are one visit to the list, not twenty.
  const change = (next: ListQuery) => setParams(listSearch(next), { replace: true });
  return { query, search, change };
}

/** Pages that were read at different moments may overlap: an application that moved is shown once. */
function unique(pages: readonly ApplicationList[]) {
  const items = new Map(pages.flatMap((page) => page.items.map((item) => [item.id, item] as const)));
  return [...items.values()];
}
