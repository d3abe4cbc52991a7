import { createFileSecretStore } from '#shared/adapters/embedded/file-secret-store.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { describeSecretStore } from './secret-store.contract.ts';

describeSecretStore('embedded', async () => {
  const folder = await temporaryFolder();
  return { store: createFileSecretStore({ dir: folder.path }), close: folder.remove };
});
