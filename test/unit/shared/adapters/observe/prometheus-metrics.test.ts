import { expect, it } from 'vitest';
import { createMetrics } from '#shared/adapters/observe/prometheus-metrics.ts';

it('writes counters, durations and gauges as OpenMetrics with the prefix of the product', async () => {
  const metrics = createMetrics();
  metrics.count('queue_messages', { queue: 'hints', outcome: 'done' });
  metrics.count('queue_messages', { outcome: 'done', queue: 'hints' }, 2);
  metrics.observe('plan', 0.03, { result: 'ok' });
  metrics.gauge('applications', 7);
  metrics.gauge('applications', 5);

  const text = await metrics.text();

  expect(metrics.contentType).toContain('application/openmetrics-text');
  expect(text).toContain(
    '# TYPE hawser_queue_messages counter\nhawser_queue_messages_total{queue="hints",outcome="done"} 3\n',
  );
  expect(text).toContain('hawser_plan_seconds_bucket{le="0.05",result="ok"} 1');
  expect(text).toContain('hawser_plan_seconds_bucket{le="0.025",result="ok"} 0');
  expect(text).toContain('hawser_plan_seconds_count{result="ok"} 1');
  expect(text).toContain('hawser_applications 5\n');
  expect(text.endsWith('# EOF\n')).toBe(true);
});

it('takes names that already have prefix or unit as they are, and one metric for both spellings', async () => {
  const metrics = createMetrics();
  metrics.count('hawser_pushes_total');
  metrics.count('pushes');
  metrics.observe('apply_seconds', 1);
  metrics.observe('apply', 1);
  metrics.count('odd name-1');

  const text = await metrics.text();

  expect(text).toContain('hawser_pushes_total 2\n');
  expect(text).toContain('hawser_apply_seconds_count 2\n');
  expect(text).toContain('hawser_odd_name_1_total 1\n');
  expect(text).not.toContain('hawser_hawser');
});

it('does not throw when later labels differ from the first', async () => {
  const metrics = createMetrics();
  metrics.count('a', { x: '1' });
  metrics.count('a', { x: '1', y: '2' });
  metrics.count('a');
  metrics.count('a', { x: 'quote " line\n break' });

  const text = await metrics.text();

  expect(text).toContain('hawser_a_total{x="1"} 2\n');
  expect(text).toContain('hawser_a_total 1\n');
  expect(text).toContain('hawser_a_total{x="quote \\" line\\n break"} 1\n');
});

it('measures its process where asked, and keeps two instances apart', async () => {
  const [one, two] = [createMetrics({ process: true }), createMetrics()];
  one.count('only_here');

  expect(await one.text()).toMatch(/hawser_process_resident_memory_bytes \d+/);
  expect(await two.text()).not.toContain('only_here');
});
