import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { openTestDatabase } from './embedded-database.ts';
import { describeStateStore } from './state-store.contract.ts';

describeStateStore('embedded', async () => {
  const { database, close } = await openTestDatabase();
  return { store: createStateStore(database), close };
});
