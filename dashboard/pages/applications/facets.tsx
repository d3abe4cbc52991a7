import { useState } from 'react';
import type { HealthStatus, SyncStatus } from '#shared/domain/status.ts';
import type { ApplicationList } from '#shared/messages/api.ts';
import { count } from '../../ui/format.ts';
import { HealthIcon, SyncIcon } from '../../ui/icons.tsx';
import type { Facet, FacetOption, ListQuery } from './list-query.ts';
import { countsOf, facetOptions, toggleFacet } from './list-query.ts';

const healthOrder: readonly HealthStatus[] = ['Degraded', 'Missing', 'Unknown', 'Progressing', 'Suspended', 'Healthy'];
const syncOrder: readonly SyncStatus[] = ['OutOfSync', 'Unknown', 'Synced'];
const groups: readonly { facet: Facet; title: string; known: readonly string[] }[] = [
  { facet: 'health', title: 'Health', known: healthOrder },
  { facet: 'sync', title: 'Sync status', known: syncOrder },
  { facet: 'cluster', title: 'Cluster', known: [] },
  { facet: 'project', title: 'Project', known: [] },
];

/** Filters with the number of applications behind each value; several values of one filter mean any of them. */
export function Facets({
  counts,
  query,
  onChange,
}: {
  counts: ApplicationList['counts'];
  query: ListQuery;
  onChange: (query: ListQuery) => void;
}) {
  return (
    <>
      {groups.map(({ facet, title, known }) => (
        <FacetGroup
          key={facet}
          facet={facet}
          title={title}
          options={facetOptions(countsOf(counts, facet), query[facet], known)}
          onToggle={(value) => onChange(toggleFacet(query, facet, value))}
        />
      ))}
    </>
  );
}

const shown = 8;

function FacetGroup({
  facet,
  title,
  options,
  onToggle,
}: {
  facet: Facet;
  title: string;
  options: FacetOption[];
  onToggle: (value: string) => void;
}) {
  const [all, setAll] = useState(false);
  const visible =
    all || options.length <= shown + 1 ? options : options.filter((option, index) => index < shown || option.chosen);
  return (
    <fieldset className="facet">
      <legend>{title}</legend>
      {visible.map((option) => (
        <label key={option.value} className={option.count === 0 ? 'none' : undefined}>
          <input type="checkbox" checked={option.chosen} onChange={() => onToggle(option.value)} />
          {facet === 'health' ? <HealthIcon status={option.value as HealthStatus} /> : null}
          {facet === 'sync' ? <SyncIcon status={option.value as SyncStatus} /> : null}
          <span className="cut" title={option.value}>
            {option.value}
          </span>
          <span className="num facet-count">{count(option.count)}</span>
        </label>
      ))}
      {visible.length < options.length ? (
        <button type="button" className="link" onClick={() => setAll(true)}>
          {options.length - visible.length} more
        </button>
      ) : null}
    </fieldset>
  );
}
