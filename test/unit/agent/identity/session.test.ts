import { beforeEach, describe, expect, it } from 'vitest';
import { createSessionKeeper } from '#agent/identity/session.ts';
import { HawserError } from '#shared/errors.ts';
import type { TokenAnswer } from '#shared/messages/agent-identity.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { silent } from '../harness.ts';

let clock: FakeClock;
let asked: number;
let failure: HawserError | undefined;
let lifeMs: number;
/** While set, the service keeps its answer back. */
let gate: Promise<void> | undefined;

beforeEach(() => {
  clock = createFakeClock();
  asked = 0;
  failure = undefined;
  lifeMs = 15 * 60_000;
  gate = undefined;
});

async function obtain(): Promise<TokenAnswer> {
  asked += 1;
  const number = asked;
  await gate;
  if (failure !== undefined) throw failure;
  const expiresAt = new Date(clock.now() + lifeMs).toISOString();
  return { organisation: 'acme', cluster: 'one', accessToken: `token-${number}`, expiresAt };
}

function open(random = 0.5) {
  return createSessionKeeper({ obtain, clock, log: silent, random: () => random });
}

const minutes = (count: number) => clock.advance(count * 60_000);
const down = new HawserError('unavailable', 'the broker is down', { retry: 'later' });

describe('a session', () => {
  it('is asked for once, however many want it at the same time', async () => {
    const keeper = open();
    let release = () => undefined as void;
    gate = new Promise((resolve) => (release = resolve));
    const all = Promise.all(Array.from({ length: 20 }, () => keeper.current()));
    release();
    expect(new Set((await all).map(({ accessToken }) => accessToken))).toEqual(new Set(['token-1']));
    expect(asked).toBe(1);
  });

  it('is renewed at four fifths of its life, give or take a twentieth, while it still holds (FT-53)', async () => {
    for (const [random, expected] of [
      [0, 0.75],
      [0.5, 0.8],
      [1, 0.85],
    ] as const) {
      clock = createFakeClock();
      asked = 0;
      const keeper = open(random);
      await keeper.current();
      await clock.advance(lifeMs * expected - 1000);
      await keeper.current();
      expect(asked).toBe(1);
      await clock.advance(2000);
      expect((await keeper.current()).accessToken).toBe('token-1');
      await clock.advance(0);
      expect((await keeper.current()).accessToken).toBe('token-2');
    }
  });

  it('goes on to its end while the broker is down, then says so, then comes back by itself (FT-109, INV-42)', async () => {
    const keeper = open();
    await keeper.current();
    failure = down;
    for (let minute = 0; minute < 14; minute += 1) {
      await minutes(1);
      expect((await keeper.current()).accessToken).toBe('token-1');
    }
    expect(asked).toBeLessThan(8);
    await minutes(2);
    await expect(keeper.current()).rejects.toBe(down);
    failure = undefined;
    await minutes(2);
    expect((await keeper.current()).accessToken).toMatch(/token-\d+/);
  });

  it('that is refused for good is asked for less and less often, at most every five minutes in the end (FT-23)', async () => {
    failure = new HawserError('unauthenticated', 'revoked');
    const keeper = open(1);
    for (let second = 0; second < 3600; second += 10) {
      await expect(keeper.current()).rejects.toMatchObject({ code: 'unauthenticated' });
      await clock.advance(10_000);
    }
    expect(asked).toBeLessThan(25);
    failure = undefined;
    await minutes(5);
    expect((await keeper.current()).accessToken).toMatch(/token-/);
  });

  it('waits as long as the broker says (FT-53, INV-41)', async () => {
    failure = new HawserError('unavailable', 'busy', { retry: 'later', data: { retryAfterMs: 200_000 } });
    const keeper = open();
    await expect(keeper.current()).rejects.toThrow('busy');
    await clock.advance(190_000);
    await expect(keeper.current()).rejects.toThrow('busy');
    expect(asked).toBe(1);
  });

  it('that is refused before its end is replaced once, by one request for all who were refused', async () => {
    const keeper = open();
    const first = await keeper.current();
    const [a, b] = await Promise.all([keeper.renew(first), keeper.renew(first)]);
    expect([a.accessToken, b.accessToken]).toEqual(['token-2', 'token-2']);
    expect((await keeper.renew(first)).accessToken).toBe('token-2');
    expect(asked).toBe(2);
    // The new one is refused as well: no hot loop.
    await expect(keeper.renew(a)).rejects.toMatchObject({ code: 'unauthenticated', retry: 'later' });
    expect(asked).toBe(2);
    await clock.advance(31_000);
    expect((await keeper.renew(a)).accessToken).toBe('token-3');
  });

  it('is not taken for ended, nor for eternal, because our clock is wrong', async () => {
    lifeMs = -3600_000;
    const behind = open();
    await behind.current();
    await clock.advance(30_000);
    await behind.current();
    expect(asked).toBe(1);
    asked = 0;
    lifeMs = 365 * 24 * 3600_000;
    const ahead = open();
    await ahead.current();
    await minutes(61);
    await ahead.current();
    expect(asked).toBe(2);
  });
});
