import type { HealthStatus } from '#shared/domain/status.ts';
import { count } from '../../ui/format.ts';
import type { ListQuery } from './list-query.ts';

const order: readonly HealthStatus[] = ['Degraded', 'Missing', 'Unknown', 'Progressing', 'Suspended', 'Healthy'];

/** The organisation's health in one line: how much of it is how. A press shows only that. */
export function HealthBar({
  counts,
  query,
  onChange,
}: {
  counts: Record<string, number>;
  query: ListQuery;
  onChange: (query: ListQuery) => void;
}) {
  const parts = order.map((status) => ({ status, number: counts[status] ?? 0 })).filter((part) => part.number > 0);
  return (
    <div className="health-bar" role="group" aria-label="Applications by health">
      {parts.map(({ status, number }) => (
        <button
          key={status}
          type="button"
          className={`part health-${status.toLowerCase()}`}
          style={{ flexGrow: number }}
          title={`${count(number)} ${status}`}
          aria-label={`${count(number)} ${status}: show only these`}
          aria-pressed={query.health.includes(status)}
          onClick={() =>
            onChange({ ...query, health: query.health.length === 1 && query.health[0] === status ? [] : [status] })
          }
        />
      ))}
    </div>
  );
}
