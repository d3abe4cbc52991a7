import { describe, expect, it } from 'vitest';
import { mayLiveAgain, unansweredReason } from '#shared/domain/dead-letters.ts';
import { agentMail, flow, hints, publishJobs, reports, type FlowQueue } from '#shared/flow.ts';
import { outageDelay, parseMessage } from '#shared/handle-delivery.ts';

const hour = 3600_000;
const at = '2026-01-01T00:00:00Z';
const hint = { organisation: 'acme', repository: 'demo', reason: 'push', trace: 't', at };
const job = {
  organisation: 'acme',
  application: 'web',
  generation: 1,
  inputDigest: 'd',
  intent: { revision: 'r', dependsOn: [], initiatedBy: 'push', renderDigest: 'd' },
  result: { status: 'unchanged' },
  trace: 't',
  at,
};
const report = {
  format: 1,
  epoch: 'e',
  sequence: 0,
  agentVersion: '1',
  version: 0,
  applications: [],
  heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 0 },
};
const received = { organisation: 'acme', cluster: 'home', receivedAt: at, report };

function invalid<T>(queue: FlowQueue<T>, body: object): string | undefined {
  const parsed = parseMessage(queue, { id: 'm', body: JSON.stringify(body) });
  return 'invalid' in parsed ? parsed.invalid : undefined;
}

describe('a message that does not fit', () => {
  it.each([
    ['an unknown reason', hints, { ...hint, reason: 'moon' }, 'reason "moon"'],
    ['an unknown status', publishJobs, { ...job, result: { status: 'paused' } }, 'result.status "paused"'],
    ['a report of another format', reports, { ...received, report: { ...report, format: 2 } }, 'report.format 2'],
    ['a format of its own', hints, { ...hint, format: 2, repository: ['demo'] }, 'its format is 2'],
  ] as [string, FlowQueue<never>, object, string][])(
    'because it holds %s is parked as a newer version’s, and lives again (FT-110, INV-45)',
    (_what, queue, body, words) => {
      const reason = invalid(queue, body);

      expect(reason).toContain('from a newer version of Hawser');
      expect(reason).toContain(words);
      expect(mayLiveAgain(reason ?? '', 6 * 24 * hour)).toBe(true);
      expect(mayLiveAgain(reason ?? '', 8 * 24 * hour)).toBe(false);
    },
  );

  it.each([
    ['a wrong type', hints, { ...hint, repository: 17 }],
    ['a wrong type beside an unknown word', hints, { ...hint, repository: 17, reason: 'moon' }],
    ['no status', publishJobs, { ...job, result: {} }],
    ['a number where words belong', hints, { ...hint, reason: null }],
    ['mail of nobody', agentMail, { packed: '' }],
    ['neither report nor where it lies', reports, { organisation: 'acme', cluster: 'home', receivedAt: at }],
  ] as [string, FlowQueue<never>, object][])(
    'because it holds %s is poison, and stays dead (FT-14)',
    (_, queue, body) => {
      const reason = invalid(queue, body);

      expect(reason).toContain(`not a message of queue ${queue.name}`);
      expect(mayLiveAgain(reason ?? '', 0)).toBe(false);
    },
  );
});

describe('a dead letter', () => {
  it.each([
    ['unavailable: table hawser: put: AWS is throttled', true],
    ['timeout: the function ran out of time', true],
    [unansweredReason(40), true],
    [`${unansweredReason(5)}; before that: unavailable: no table`, true],
    ['internal: KMS key k is RSA_2048', false],
    ['object-invalid: unavailable: a name that says so', false],
    ['cannot read properties of undefined', false],
    ['its body x is no longer in the chunk store', false],
  ])('that died of «%s» lives again: %s (FT-13, FT-48)', (reason, lives) => {
    expect(mayLiveAgain(reason, 0)).toBe(lives);
  });

  it('that nobody answered for lives again for a day only: it may be what kills its function (FT-14)', () => {
    expect(mayLiveAgain(unansweredReason(40), 23 * hour)).toBe(true);
    expect(mayLiveAgain(unansweredReason(40), 25 * hour)).toBe(false);
  });
});

describe('the receives that a message has', () => {
  it.each(flow.map((queue) => [queue.name, queue] as const))(
    'of %s last for more than an hour of outage, whatever the dice say, and end within minutes of it (FT-13, FT-48)',
    (_, queue) => {
      const delays = (random: number) =>
        Array.from({ length: queue.maxReceives - 1 }, (_each, index) => outageDelay(index + 1, () => random));

      expect(delays(0).reduce((sum, delay) => sum + delay)).toBeGreaterThan(3600);
      expect(Math.max(...delays(1))).toBeLessThanOrEqual(300);
      // Nobody runs: each receive costs a visibility.
      expect(queue.maxReceives * queue.visibilitySeconds).toBeGreaterThan(3600);
      expect(queue.tries).toBeLessThanOrEqual(5);
    },
  );
});
