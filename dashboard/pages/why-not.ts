import type { Session } from '../api/types.ts';

/** Why clusters and repositories cannot be changed by this user, as a sentence for the button; the API decides in the end. */
export function whyNotAdminister(session: Session): string | undefined {
  return session.role === 'admin' ? undefined : `The role ${session.role} may look but not change`;
}
