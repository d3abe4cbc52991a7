import { readFileSync } from 'node:fs';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { SessionKeeper } from './session.ts';

/** What the agent shows the API. */
export interface Credentials {
  /** Bearer for the next request. Throws `unavailable` or `unauthenticated` where none can be had. */
  bearer(): Promise<string>;
  /** `refused` was answered with 401: another one, or undefined where there is none. */
  renewed(refused: string): Promise<string | undefined>;
}

const readAgainMs = 60_000;

/** A token that somebody handed over. A file may be replaced at any time, so it is read again every minute, and when it is refused. */
export function createStaticCredentials(
  source: { token: string } | { file: string },
  monotonic: () => number,
): Credentials {
  let cached = 'token' in source ? source.token : '';
  let until = 'token' in source ? Infinity : -Infinity;
  const read = (): string => {
    if ('file' in source) cached = readSecretFile(source.file);
    until = 'file' in source ? monotonic() + readAgainMs : Infinity;
    return cached;
  };
  return {
    bearer: async () => (monotonic() > until ? read() : cached),
    async renewed(refused) {
      const token = read();
      return token === refused ? undefined : token;
    },
  };
}

/** The bearer of the session that a ServiceAccount token was exchanged for. */
export function createSessionCredentials(keeper: SessionKeeper): Credentials {
  return {
    bearer: async () => (await keeper.current()).accessToken,
    async renewed(refused) {
      const session = await keeper.current();
      if (session.accessToken !== refused) return session.accessToken;
      return (await keeper.renew(session)).accessToken;
    },
  };
}

/** The text of a mounted file, without the line end. Throws `unauthenticated` (later) where there is none: mounts may come late. */
export function readSecretFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new HawserError('unauthenticated', `The token file ${file} cannot be read: ${messageOf(error)}`, {
      retry: 'later',
      hint: "See that the pod's volume is mounted there.",
    });
  }
  if (text !== '') return text;
  throw new HawserError('unauthenticated', `The token file ${file} is empty`, { retry: 'later' });
}
