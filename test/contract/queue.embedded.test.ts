import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { openTestDatabase } from './embedded-database.ts';
import { describeQueue } from './queue.contract.ts';

describeQueue('embedded', async () => {
  const clock = createFakeClock();
  const { database, close } = await openTestDatabase(clock);
  return {
    queues: createQueues(database, clock),
    close,
    timing: { visibilitySeconds: 30, waitSeconds: 0, pass: (seconds) => clock.advance(seconds * 1000), runs: 40 },
  };
});
