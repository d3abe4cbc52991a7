import { createFileSigner } from '#shared/adapters/embedded/file-signer.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { describeSigner } from './signer.contract.ts';

describeSigner('embedded', async () => {
  const folder = await temporaryFolder();
  const clock = createFakeClock();
  return { signer: createFileSigner({ dir: folder.path, clock }), now: () => clock.now(), close: folder.remove };
});
