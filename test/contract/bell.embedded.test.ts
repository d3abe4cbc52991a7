import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { describeBell } from './bell.contract.ts';

describeBell('embedded', async () => ({ bell: createBell(), close: async () => undefined }));
