import { beforeEach, describe, expect, it } from 'vitest';
import { createChosenHub } from '#agent/hub/choose-hub.ts';
import { HawserError } from '#shared/errors.ts';
import type { Hub } from '#shared/ports/hub.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { silent } from '../harness.ts';

interface Way {
  hub: Hub;
  calls: number;
  failure: HawserError | undefined;
}

let clock: FakeClock;
let direct: Way;
let https: Way;
let given: boolean;

function way(): Way {
  const self: Way = { calls: 0, failure: undefined, hub: undefined as unknown as Hub };
  const call = async () => {
    self.calls += 1;
    if (self.failure !== undefined) throw self.failure;
  };
  self.hub = {
    poll: async () => {
      await call();
      return { version: 1, scope: 'changes', applications: [], commands: [] };
    },
    chunks: async () => {
      await call();
      return new Map();
    },
    report: call,
    answer: call,
  };
  return self;
}

beforeEach(() => {
  clock = createFakeClock();
  direct = way();
  https = way();
  given = true;
});

function open(withHttps = true): Hub {
  return createChosenHub({
    direct: async () => (given ? direct.hub : undefined),
    ...(withHttps ? { https: https.hub } : {}),
    clock,
    log: silent,
    random: () => 0.5,
  });
}

const outage = new HawserError('unavailable', 'table hawser: no way there', { retry: 'later' });
const poll = (hub: Hub) => hub.poll({ after: 0, waitSeconds: 0 });

describe('the way to the service', () => {
  it('is direct where that is given', async () => {
    const hub = open();
    await poll(hub);
    await hub.chunks([]);
    await hub.answer({ question: 'q' });
    expect([direct.calls, https.calls]).toEqual([3, 0]);
  });

  it('is HTTPS where the service gives no direct access, until it does', async () => {
    given = false;
    const hub = open();
    await poll(hub);
    expect([direct.calls, https.calls]).toEqual([0, 1]);
    given = true;
    await poll(hub);
    expect([direct.calls, https.calls]).toEqual([1, 1]);
  });

  it('falls back at once where direct has never worked, and tries it again after ten minutes (closed networks)', async () => {
    direct.failure = outage;
    const hub = open();
    await poll(hub);
    await poll(hub);
    expect([direct.calls, https.calls]).toEqual([1, 2]);
    direct.failure = undefined;
    await clock.advance(9 * 60_000);
    await poll(hub);
    expect(direct.calls).toBe(1);
    await clock.advance(2 * 60_000);
    await poll(hub);
    expect([direct.calls, https.calls]).toEqual([2, 3]);
  });

  it('that has worked may stumble twice; the third time in a row closes it', async () => {
    const hub = open();
    await poll(hub);
    direct.failure = outage;
    await expect(poll(hub)).rejects.toBe(outage);
    await expect(poll(hub)).rejects.toBe(outage);
    await poll(hub);
    expect([direct.calls, https.calls]).toEqual([4, 1]);
  });

  it('is HTTPS where the code of the other cannot be loaded', async () => {
    const broken = new Error('Cannot find module parts/aws-hub.mjs');
    const hub = createChosenHub({
      direct: () => Promise.reject(broken),
      https: https.hub,
      clock,
      log: silent,
      random: () => 0.5,
    });
    await poll(hub);
    await poll(hub);
    expect(https.calls).toBe(2);
  });

  it('is not left for what is wrong with one message', async () => {
    direct.failure = new HawserError('too-large', 'a report is too large');
    const hub = open();
    for (let time = 0; time < 5; time += 1) await expect(poll(hub)).rejects.toMatchObject({ code: 'too-large' });
    expect(https.calls).toBe(0);
  });

  it('stays direct where nothing else is wanted, and says what is missing', async () => {
    direct.failure = outage;
    const hub = open(false);
    for (let time = 0; time < 5; time += 1) await expect(poll(hub)).rejects.toBe(outage);
    given = false;
    await expect(poll(hub)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('HAWSER_HUB'),
    });
  });
});
