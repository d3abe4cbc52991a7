import { createFileSecretStore } from '#shared/adapters/embedded/file-secret-store.ts';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import { createSealedSecretStore } from '#shared/state/sealed-secrets.ts';
import { openMemoryStore } from '#test/kit/store.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { describeSecretStore } from './secret-store.contract.ts';

describeSecretStore('embedded', async () => {
  const folder = await temporaryFolder();
  return { store: createFileSecretStore({ dir: folder.path }), close: folder.remove };
});

describeSecretStore('sealed rows', async () => {
  const folder = await temporaryFolder();
  const cipher = createFileCipher({ dir: folder.path });
  return { store: createSealedSecretStore({ store: openMemoryStore(), cipher }), close: folder.remove };
});
