import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApplicationDetail, EventView } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { eventsQuery } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { keyTitle } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { Time } from '../../ui/time.tsx';

/** What happened to the application, newest first. */
export function EventsTab({ app }: { app: ApplicationDetail }) {
  const query = useInfiniteQuery(eventsQuery(useApi(), app.id, useStreamState() === 'live'));
  const [only, setOnly] = useState<'all' | 'warnings'>('all');
  const items = query.data?.pages.flatMap((page) => page.items);
  return (
    <>
      <div className="tab-tools">
        <Segmented
          label="Which events"
          value={only}
          options={[
            ['all', 'All'],
            ['warnings', 'Warnings'],
          ]}
          onChange={setOnly}
        />
      </div>
      <QueryView
        query={{ data: items, error: query.error, refetch: query.refetch }}
        loading={<SkeletonRows label="Loading events" />}
      >
        {(events) => (
          <EventsTable events={only === 'all' ? events : events.filter((event) => event.type === 'Warning')} />
        )}
      </QueryView>
      {query.hasNextPage ? (
        <div className="more">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show older
          </Button>
        </div>
      ) : null}
    </>
  );
}

function EventsTable({ events }: { events: EventView[] }) {
  if (events.length === 0) return <Empty title="No events" />;
  return (
    <table className="table events">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Reason</th>
          <th scope="col">Message</th>
          <th scope="col" className="wide-only">
            Object
          </th>
          <th scope="col" className="wide-only">
            By
          </th>
          <th scope="col" className="right wide-only">
            Generation
          </th>
        </tr>
      </thead>
      <tbody>
        {events.map((event, index) => (
          // Events have no id, and two may be equal.
          // oxlint-disable-next-line react/no-array-index-key
          <tr key={`${event.at} ${event.reason} ${index}`}>
            <td className="muted">
              <Time at={event.at} />
            </td>
            <td className={event.type === 'Warning' ? 'warn' : undefined}>
              <span className="status">
                {event.type === 'Warning' ? <Icon name="warning" /> : null}
                {event.reason}
              </span>
            </td>
            <td className="wrap">{event.message}</td>
            <td className="wide-only muted cut">{event.object === undefined ? '' : keyTitle(event.object)}</td>
            <td className="wide-only muted cut">{event.by ?? ''}</td>
            <td className="right num wide-only">{event.generation ?? ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
