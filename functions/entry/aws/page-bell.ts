import { messageOf } from '#shared/errors.ts';
import type { FlushedBell } from '#shared/adapters/aws/sqs-bell.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { recordPageChanges } from '#shared/state/page-changes.ts';

/**
 * A bell that also keeps what pages should hear of: rings of `organisation:ID` are gathered and written as one change when
 * the bell is flushed, for pages to find when they ask. What cannot be written is logged and lost: pages poll as well.
 */
export function createPageBell(agents: FlushedBell, deps: { store: StateStore; clock: Clock; log: Log }): FlushedBell {
  const changed = new Map<string, Set<string>>();
  return {
    ring(channel, payload) {
      const organisation = /^organisation:(.+)$/.exec(channel)?.[1];
      if (organisation === undefined) return agents.ring(channel, payload);
      if (payload === undefined) return;
      changed.set(organisation, (changed.get(organisation) ?? new Set()).add(payload));
    },
    listen: agents.listen,
    async flush() {
      const gathered = [...changed];
      changed.clear();
      const written = gathered.map(([organisation, ids]) =>
        recordPageChanges(deps, organisation, [...ids]).catch((error: unknown) =>
          deps.log.warn({ organisation, reason: messageOf(error) }, 'pages will see a change late'),
        ),
      );
      await Promise.all([...written, agents.flush()]);
    },
  };
}
