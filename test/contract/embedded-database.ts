import { join } from 'node:path';
import { openDatabase, type Database } from '#shared/adapters/embedded/database.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { Clock } from '#shared/ports/clock.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

/** A database in a folder of its own, both gone after `close`. */
export async function openTestDatabase(
  clock: Clock = createSystemClock(),
): Promise<{ database: Database; path: string; close: () => Promise<void> }> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'hawser.db');
  const database = openDatabase({ path, clock });
  return {
    database,
    path,
    async close() {
      await database.close();
      await folder.remove();
    },
  };
}
