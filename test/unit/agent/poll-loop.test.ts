import { beforeEach, describe, expect, it } from 'vitest';
import { createPollLoop } from '#agent/poll-loop.ts';
import type { HubUpdate } from '#shared/ports/hub.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { silent } from './harness.ts';

let clock: FakeClock;
let polledAt: number[];
let update: HubUpdate;

beforeEach(() => {
  clock = createFakeClock();
  polledAt = [];
  update = { version: 5, scope: 'changes', applications: [], commands: [] };
});

/** Milliseconds between polls of an agent, over some minutes. */
async function pausesOf(random: () => number, milliseconds = 120_000): Promise<number[]> {
  const stop = new AbortController();
  const poll = async () => {
    polledAt.push(clock.monotonic());
    return update;
  };
  const loop = createPollLoop({
    hub: { poll },
    clock,
    log: silent,
    random,
    pollSeconds: 25,
    take: async () => [],
    obey: () => undefined,
  });
  const running = loop.run(stop.signal);
  await clock.advance(milliseconds);
  stop.abort();
  await clock.advance(0);
  await running;
  return polledAt.slice(1).map((at, index) => at - (polledAt[index] ?? 0));
}

describe('the next poll', () => {
  it('comes when the hub wants it, give or take a fifth (FT-54, INV-41)', async () => {
    update = { ...update, nextPollSeconds: 10 };
    let turn = 0;
    const pauses = await pausesOf(() => (turn++ % 11) / 10);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(8000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(12_000);
    expect(new Set(pauses).size).toBeGreaterThan(3);
  });

  it('is not put off for hours, whatever the hub says', async () => {
    update = { ...update, nextPollSeconds: 1e9 };
    expect(Math.max(...(await pausesOf(() => 0.5, 1000_000)))).toBeLessThanOrEqual(300_000);
  });

  it('of a hub that says nothing at once is no hot loop', async () => {
    const pauses = await pausesOf(() => 0.5, 20_000);
    expect(pauses.slice(1).every((pause) => pause >= 800)).toBe(true);
  });
});
