import { collectDefaultMetrics, type OpenMetricsContentType, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../../ports/metrics.ts';

type Labels = Record<string, string>;
interface Known<T> {
  metric: T;
  labelNames: string[];
}

/** Seconds; from a cache hit to a render at its limit. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 10, 30, 120];

/**
 * Metrics in OpenMetrics text. Names get the prefix `hawser_`, counters `_total`, durations `_seconds`, where they lack them.
 * The labels of a metric are those of its first use; others are left out later, because measuring must not throw.
 * `process`: also memory, CPU and event loop of this process.
 */
export function createMetrics(
  options: { process?: boolean } = {},
): Metrics & { text(): Promise<string>; contentType: string } {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  // prom-client types its parameters for the older text format only; it writes what the registry says.
  const registers = [registry as unknown as Registry];
  const counters = new Map<string, Known<Counter>>();
  const gauges = new Map<string, Known<Gauge>>();
  const histograms = new Map<string, Known<Histogram>>();
  if (options.process === true) collectDefaultMetrics({ register: registers[0]!, prefix: 'hawser_' });

  return {
    count(given, labels = {}, by = 1) {
      // prom-client itself adds `_total` to the samples.
      const name = fullName(given).replace(/_total$/, '');
      const { metric, labelNames } = once(
        counters,
        name,
        labels,
        (settings) => new Counter({ ...settings, registers }),
      );
      metric.inc(only(labels, labelNames), by);
    },
    observe(given, seconds, labels = {}) {
      const name = `${fullName(given).replace(/_seconds$/, '')}_seconds`;
      const { metric, labelNames } = once(
        histograms,
        name,
        labels,
        (settings) => new Histogram({ ...settings, buckets, registers }),
      );
      metric.observe(only(labels, labelNames), seconds);
    },
    gauge(given, value, labels = {}) {
      const name = fullName(given);
      const { metric, labelNames } = once(gauges, name, labels, (settings) => new Gauge({ ...settings, registers }));
      metric.set(only(labels, labelNames), value);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function once<T>(
  known: Map<string, Known<T>>,
  name: string,
  labels: Labels,
  make: (settings: { name: string; help: string; labelNames: string[] }) => T,
): Known<T> {
  let found = known.get(name);
  if (found === undefined) {
    const labelNames = Object.keys(labels);
    found = { metric: make({ name, help: helpOf(name), labelNames }), labelNames };
    known.set(name, found);
  }
  return found;
}

function only(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => names.includes(name)));
}

function fullName(name: string): string {
  const clean = name.replaceAll(/[^a-zA-Z0-9_]/g, '_');
  return clean.startsWith('hawser_') ? clean : `hawser_${clean}`;
}

/** `hawser_queue_handle_seconds` → `queue handle seconds`. */
function helpOf(name: string): string {
  return name.replace(/^hawser_/, '').replaceAll('_', ' ');
}
