import type { Clock } from '#shared/ports/clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';

/** The embedded state store in memory: the real one, gone when the test ends. */
export function openMemoryStore(clock: Clock = createSystemClock()): StateStore {
  return createStateStore(openDatabase({ path: ':memory:', clock }));
}
