import type { Clock } from '#shared/ports/clock.ts';

/** Reads the secrets of a repository; undefined: no such repository. */
export type ReadSecrets = (repository: string) => Promise<string[] | undefined>;

export interface SecretCache {
  find: ReadSecrets;
  /** For who was refused by what `find` gave: reads anew, unless that was done a moment ago. */
  findAgain: ReadSecrets;
}

/** A secret that was taken away is refused after so long at the latest (FT-07). */
const keepMs = 60_000;
/** Wrong signatures make us read again so often for each repository, however many come. */
const againMs = 5_000;
const most = 5_000;

interface Entry {
  secrets: Promise<string[] | undefined>;
  readAt: number;
}

/**
 * Keeps secrets for a minute, so that a thousand deliveries a second cost one read a minute and repository. A new secret
 * counts at once: a delivery that does not fit makes it read again. Unknown repositories and failures are not kept.
 */
export function createSecretCache({ read, clock }: { read: ReadSecrets; clock: Clock }): SecretCache {
  const entries = new Map<string, Entry>();

  return {
    find: (repository) => within(repository, keepMs),
    findAgain: (repository) => within(repository, againMs),
  };

  function within(repository: string, milliseconds: number): Promise<string[] | undefined> {
    const known = entries.get(repository);
    if (known !== undefined && clock.monotonic() - known.readAt < milliseconds) return known.secrets;
    const made: Entry = { secrets: read(repository), readAt: clock.monotonic() };
    entries.delete(repository);
    const oldest = entries.keys().next();
    if (entries.size >= most && oldest.done !== true) entries.delete(oldest.value);
    entries.set(repository, made);
    const forget = () => void (entries.get(repository) === made && entries.delete(repository));
    made.secrets.then((secrets) => secrets === undefined && forget(), forget);
    return made.secrets;
  }
}
