import { describe, expect, it } from 'vitest';
import { createReporter } from '#agent/report/reporter.ts';
import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import type { Log } from '#shared/ports/log.ts';
import { createFakeClock } from '#test/kit/clock.ts';

const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

const healthy: ApplicationReport = {
  application: 'web',
  generation: 1,
  sync: { status: 'Synced' },
  health: { status: 'Healthy' },
  drift: [],
  conditions: [],
  events: [],
};

describe('what an agent says', () => {
  it('INV-32: goes out also when it was to go out while a slow heartbeat was on its way', async () => {
    const clock = createFakeClock();
    const sent: AgentReport[] = [];
    const reporter = createReporter({
      hub: {
        async report(report) {
          await clock.sleep(50);
          sent.push(report);
        },
      },
      clock,
      log: quiet,
      agentVersion: '1',
      epoch: 'e',
      random: () => 0.5,
      applications: () => ['web'],
      renewals: { due: () => [], asked: () => undefined },
      reportOf: () => healthy,
      acknowledged: () => undefined,
      facts: () => ({ version: 1, objects: 1, memoryBytes: 1 }),
    });
    const stop = new AbortController();
    const running = reporter.run(stop.signal);
    await clock.advance(29_995);
    reporter.capabilities({ kubernetesVersion: 'v1', uid: 'u', kinds: [] });
    // The heartbeat begins at 30,000; at 30,015 it is the turn of the capabilities.
    await clock.advance(100);
    expect(sent).toHaveLength(1);

    reporter.changed('web', true);
    await clock.advance(1000);

    expect(sent.flatMap(({ applications }) => applications.map(({ application }) => application))).toEqual(['web']);
    stop.abort();
    await clock.advance(60_000);
    await running;
  });
});
