import { describe, expect, it } from 'vitest';
import { createEmfMetrics } from '#shared/adapters/observe/emf-metrics.ts';
import { createFakeClock } from '#test/kit/clock.ts';

interface Line {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
  };
  [name: string]: unknown;
}

function world(labels?: Record<string, string>) {
  const printed: string[] = [];
  const metrics = createEmfMetrics({
    namespace: 'Hawser/test',
    clock: createFakeClock(1_700_000_000_000),
    print: (line) => void printed.push(line),
    ...(labels === undefined ? {} : { labels }),
  });
  return { metrics, lines: () => printed.splice(0).map((line) => JSON.parse(line) as Line) };
}

describe('metrics for CloudWatch', () => {
  it('print nothing before the flush, and nothing where nothing was counted', () => {
    const { metrics, lines } = world();
    metrics.flush();
    metrics.count('hints_total');
    expect(lines()).toEqual([]);
  });

  it('are one line for each set of labels: sums of counters, last values of gauges, durations as they were', () => {
    const { metrics, lines } = world({ function: 'plan' });
    metrics.count('queue_messages', { queue: 'hints', outcome: 'done' });
    metrics.count('queue_messages', { outcome: 'done', queue: 'hints' }, 2);
    metrics.count('webhook_deliveries_total', { provider: 'github' });
    metrics.observe('plan', 0.25, { queue: 'hints', outcome: 'done' });
    metrics.observe('plan_seconds', 0.5, { queue: 'hints', outcome: 'done' });
    metrics.gauge('applications', 3);
    metrics.gauge('applications', 4);
    metrics.flush();

    const printed = lines();
    expect(printed).toHaveLength(3);
    expect(printed[0]).toEqual({
      _aws: {
        Timestamp: 1_700_000_000_000,
        CloudWatchMetrics: [
          {
            Namespace: 'Hawser/test',
            Dimensions: [['outcome', 'queue']],
            Metrics: [
              { Name: 'queue_messages', Unit: 'Count' },
              { Name: 'plan_seconds', Unit: 'Seconds' },
            ],
          },
        ],
      },
      function: 'plan',
      outcome: 'done',
      queue: 'hints',
      queue_messages: 3,
      plan_seconds: [0.25, 0.5],
    });
    expect(printed[1]).toMatchObject({ provider: 'github', webhook_deliveries: 1 });
    expect(printed[2]).toMatchObject({ applications: 4 });
    expect(printed[2]?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([[]]);
    metrics.flush();
    expect(lines()).toEqual([]);
  });

  it('put at most a hundred values into one array, and lose none', () => {
    const { metrics, lines } = world();
    for (let value = 1; value <= 250; value += 1) metrics.observe('render', value);
    metrics.flush();

    const values = lines().map((line) => line['render_seconds'] as number[]);
    expect(values.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([50, 100, 100]);
    expect(values.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
  });

  it('put at most a hundred metrics into one line, each name once', () => {
    const { metrics, lines } = world();
    for (let number = 0; number < 150; number += 1) metrics.count(`metric_${number}`);
    metrics.flush();

    const names = lines().map((line) => line._aws.CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name) ?? []);
    expect(names.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([50, 100]);
    expect(new Set(names.flat()).size).toBe(150);
  });

  it('stay within bounds whatever labels hold, and say how much was dropped', () => {
    const { metrics, lines } = world();
    for (let number = 0; number < 700; number += 1) metrics.count('asked', { path: `/x/${number}` });
    metrics.flush();

    const printed = lines();
    expect(printed).toHaveLength(501);
    expect(printed.at(-1)).toMatchObject({ metrics_dropped: 200 });
  });

  it('leave out labels without a value, and hold at most thirty dimensions', () => {
    const { metrics, lines } = world();
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`l${index}`, 'x']));
    metrics.count('a', { empty: '', ...many });
    metrics.flush();

    const [line] = lines();
    expect(line?._aws.CloudWatchMetrics[0]?.Dimensions[0]).toHaveLength(30);
    expect(line).not.toHaveProperty('empty');
  });
});
