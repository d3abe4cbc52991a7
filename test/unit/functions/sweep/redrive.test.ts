import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unansweredReason } from '#shared/domain/dead-letters.ts';
import { HawserError } from '#shared/errors.ts';
import { redriveWhenDue } from '#functions/sweep/redrive.ts';
import { sweep } from '#functions/sweep/sweep.ts';
import { openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
let parts: ServiceParts;

beforeEach(async () => {
  parts = await openServiceParts();
  // The first look only says when the next one is.
  await redriveWhenDue(parts, organisation);
});
afterEach(() => parts.close());

async function die(name: string, reason: string, body: object = {}): Promise<void> {
  const queue = parts.queues.get(name);
  const at = new Date(parts.clock.now()).toISOString();
  await queue?.send([JSON.stringify({ at, reason, ...body })]);
  const [delivery] = (await queue?.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 60 })) ?? [];
  if (delivery !== undefined) await queue?.bury(delivery, reason);
}

const wait = (milliseconds: number) => parts.clock.setNow(parts.clock.now() + milliseconds);
const counts = async (name: string) => {
  const { ready = 0, dead = 0 } = (await parts.queues.get(name)?.counts()) ?? {};
  return { ready, dead };
};

describe('dead letters of an outage', () => {
  it('are sent again by the sweep, every quarter of an hour; what is broken stays (FT-13, FT-48)', async () => {
    await die('render-jobs', unansweredReason(40));
    await die('publish-jobs', 'unavailable: KMS key k: sign: AccessDeniedException');
    await die('publish-jobs', 'object-invalid: no such kind');
    await die('hints', 'not a message of queue hints: perhaps from a newer version of Hawser: it says reason "moon"');

    await sweep({ ...parts, pollSeconds: 180 }, organisation);
    expect(await counts('publish-jobs')).toEqual({ ready: 0, dead: 2 });
    wait(15 * minute);
    await sweep({ ...parts, pollSeconds: 180 }, organisation);

    expect(await counts('render-jobs')).toEqual({ ready: 1, dead: 0 });
    expect(await counts('publish-jobs')).toEqual({ ready: 1, dead: 1 });
    expect(await counts('hints')).toEqual({ ready: 1, dead: 0 });
  });

  it('are sent again as long as their message is not too old, by its own word (FT-14)', async () => {
    await die('publish-jobs', unansweredReason(40), { at: new Date(parts.clock.now() - day).toISOString() });
    await die('publish-jobs', 'unavailable: no table', { at: new Date(parts.clock.now() - 8 * day).toISOString() });
    await die('publish-jobs', 'unavailable: no table', { at: 'yesterday' });
    await die('publish-jobs', 'unavailable: no table', { at: new Date(parts.clock.now() - 6 * day).toISOString() });
    wait(15 * minute);

    expect(await redriveWhenDue(parts, organisation)).toBe(1);
    expect(await counts('publish-jobs')).toEqual({ ready: 1, dead: 3 });
  });

  it('of agents’ mail are left: what it said is said anew, and sent again it would not be theirs (FT-106, INV-33)', async () => {
    await die('agent-mail', unansweredReason(40));
    wait(15 * minute);

    expect(await redriveWhenDue(parts, organisation)).toBe(0);
    expect(await counts('agent-mail')).toEqual({ ready: 0, dead: 1 });
  });

  it('that cannot be read now hold up neither other queues nor the sweep', async () => {
    await die('publish-jobs', unansweredReason(40));
    const hints = parts.queues.get('hints');
    const queues = new Map(parts.queues);
    const deadLetters = () => Promise.reject(new HawserError('unavailable', 'throttled', { retry: 'later' }));
    if (hints !== undefined) queues.set('hints', { ...hints, deadLetters });
    wait(15 * minute);

    expect(await redriveWhenDue({ ...parts, queues }, organisation)).toBe(1);
  });
});
