import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { describeChunkStore } from './chunk-store.contract.ts';
import { openTestDatabase } from './embedded-database.ts';

describeChunkStore('embedded', async () => {
  const { database, close } = await openTestDatabase();
  return { store: createChunkStore(database), close };
});
