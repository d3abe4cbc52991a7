import { sha256 } from '../domain/digest.ts';
import { canonicalJson } from '../domain/json.ts';
import type { ApplicationEvent } from '../domain/status.ts';
import type { StateStore } from '../ports/state-store.ts';
import { applicationKey, organisationKey, sortKeys } from './keys.ts';

/** Events are kept this long. */
const retentionSeconds = 30 * 24 * 3600;

/** Appends to an application's log and the organisation's (INV-44). The same event written again stays one event (INV-04). */
export async function writeEvents(
  store: StateStore,
  organisation: string,
  application: string,
  events: readonly ApplicationEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await store.putMany(
    events.flatMap((event) => {
      const id = sha256(`${application} ${canonicalJson(event)}`).slice(0, 12);
      const expiresAt = Math.floor(Date.parse(event.at) / 1000) + retentionSeconds;
      return [
        {
          partition: applicationKey(organisation, application),
          sort: sortKeys.event(event.at, id),
          revision: 1,
          value: event,
          expiresAt,
        },
        {
          partition: organisationKey(organisation),
          sort: sortKeys.organisationEvent(event.at, id),
          revision: 1,
          value: { ...event, application },
          expiresAt,
        },
      ];
    }),
  );
}

/** Appends to the organisation's log what concerns no application: `event.object` says what. */
export async function writeOrganisationEvent(
  store: StateStore,
  organisation: string,
  event: ApplicationEvent & { object: string },
): Promise<void> {
  const id = sha256(`${event.object} ${canonicalJson(event)}`).slice(0, 12);
  await store.put({
    partition: organisationKey(organisation),
    sort: sortKeys.organisationEvent(event.at, id),
    revision: 1,
    value: event,
    expiresAt: Math.floor(Date.parse(event.at) / 1000) + retentionSeconds,
  });
}
