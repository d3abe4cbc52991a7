import type { ApplicationDetail, ApplicationSummary, HistoryView } from '#shared/messages/api.ts';
import type { Session } from '../../api/types.ts';

/** Why something cannot be done now, as a sentence for the button; undefined where it can. The API decides in the end. */
type Reason = string | undefined;

export function whyNotChange(session: Session, app: Pick<ApplicationSummary, 'deleting'>): Reason {
  if (session.role === 'viewer') return `The role ${session.role} may look but not change`;
  if (app.deleting) return 'The application is being deleted';
  return undefined;
}

export function whyNotRollBack(session: Session, app: ApplicationDetail, entry: HistoryView): Reason {
  if (entry.current) return 'This is what is desired now';
  return whyNotChange(session, app);
}

/** A confirmation can only be for the list that is shown. */
export function whyNotConfirm(session: Session, app: ApplicationDetail): Reason {
  if (app.stale) return 'The agent has not been heard: the list may be old';
  return whyNotChange(session, app);
}
