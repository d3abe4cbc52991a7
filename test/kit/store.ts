import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#shared/ports/clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';

/** The embedded state store in a folder of its own: the real one; the folder goes when the process ends. */
export function openMemoryStore(clock: Clock = createSystemClock()): StateStore {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-store-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.setMaxListeners(0);
  return createStateStore(openDatabase({ path: join(folder, 'state.db'), clock }));
}
