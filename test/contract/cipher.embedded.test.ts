import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { describeCipher } from './cipher.contract.ts';

describeCipher('embedded', async () => {
  const folder = await temporaryFolder();
  return { cipher: createFileCipher({ dir: folder.path }), close: folder.remove };
});
