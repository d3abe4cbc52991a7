import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { describeClock } from './clock.contract.ts';

describeClock('system', () => {
  const clock = createSystemClock();
  return { clock, pass: (milliseconds) => clock.sleep(milliseconds) };
});

describeClock('fake, for tests', () => {
  const clock = createFakeClock();
  return { clock, pass: clock.advance };
});
