import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';

export interface EmfMetrics extends Metrics {
  /** Prints what was gathered since the last time, and forgets it. */
  flush(): void;
}

export interface EmfOptions {
  /** CloudWatch's namespace, `Hawser/prod`. */
  namespace: string;
  clock: Clock;
  /** Stand beside the metrics' own, as properties that logs can be searched by; they are no dimensions. */
  labels?: Record<string, string>;
  /** Takes one line; default standard output, where CloudWatch looks. */
  print?: (line: string) => void;
}

type Unit = 'Count' | 'Seconds' | 'None';

/** The values of one metric under one set of labels. */
interface Series {
  name: string;
  unit: Unit;
  labels: Record<string, string>;
  values: number[];
}

/** Limits of the format: values of an array, metrics of a line, dimensions of a metric. */
const valuesAtOnce = 100;
const metricsAtOnce = 100;
const maxDimensions = 30;
/** Every set of labels costs money by the month: between two flushes a function knows a few dozen, more is a bug. */
const maxSeries = 500;

/**
 * Metrics as lines of CloudWatch's Embedded Metric Format: counters summed up, durations as arrays of values, a line per
 * set of labels. What goes beyond 500 series between two flushes is counted as `metrics_dropped`.
 * Format: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
 */
export function createEmfMetrics(options: EmfOptions): EmfMetrics {
  const print = options.print ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const series = new Map<string, Series>();
  let dropped = 0;

  function seriesOf(name: string, unit: Unit, labels: Record<string, string>): Series | undefined {
    const sorted = Object.entries(labels)
      .filter(([, value]) => value !== '')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, maxDimensions);
    const key = JSON.stringify([name, sorted]);
    const known = series.get(key);
    if (known !== undefined) return known;
    if (series.size >= maxSeries) {
      dropped += 1;
      return undefined;
    }
    const made: Series = { name, unit, labels: Object.fromEntries(sorted), values: [] };
    series.set(key, made);
    return made;
  }

  return {
    count(name, labels = {}, by = 1) {
      const found = seriesOf(name.replace(/_total$/, ''), 'Count', labels);
      if (found !== undefined) found.values[0] = (found.values[0] ?? 0) + by;
    },
    observe(name, seconds, labels = {}) {
      seriesOf(`${name.replace(/_seconds$/, '')}_seconds`, 'Seconds', labels)?.values.push(seconds);
    },
    gauge(name, value, labels = {}) {
      const found = seriesOf(name, 'None', labels);
      if (found !== undefined) found.values[0] = value;
    },
    flush() {
      const gathered = [...series.values()].filter(({ values }) => values.length > 0);
      if (dropped > 0) gathered.push({ name: 'metrics_dropped', unit: 'Count', labels: {}, values: [dropped] });
      series.clear();
      dropped = 0;
      for (const line of linesOf(gathered, options)) print(line);
    },
  };
}

/** One line for each set of labels and up to 100 metrics; long arrays go on in further lines. */
function linesOf(gathered: readonly Series[], { namespace, clock, labels: properties = {} }: EmfOptions): string[] {
  const groups = new Map<string, Series[]>();
  for (const one of gathered.flatMap(piecesOf)) {
    const key = JSON.stringify(one.labels);
    const known = groups.get(key) ?? [];
    // A name may stand in a line once.
    const isFull = known.length >= metricsAtOnce || known.some(({ name }) => name === one.name);
    if (isFull) groups.set(`${key} ${groups.size}`, known);
    groups.set(key, isFull ? [one] : [...known, one]);
  }
  return [...groups.values()].map((group) => lineOf(group, { namespace, properties, now: clock.now() }));
}

function piecesOf(one: Series): Series[] {
  const pieces: Series[] = [];
  for (let at = 0; at < one.values.length; at += valuesAtOnce)
    pieces.push({ ...one, values: one.values.slice(at, at + valuesAtOnce) });
  return pieces;
}

function lineOf(
  group: readonly Series[],
  { namespace, properties, now }: { namespace: string; properties: Record<string, string>; now: number },
): string {
  const labels = group[0]?.labels ?? {};
  return JSON.stringify({
    _aws: {
      Timestamp: Math.round(now),
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [Object.keys(labels)],
          Metrics: group.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    ...properties,
    ...labels,
    ...Object.fromEntries(group.map(({ name, values }) => [name, values.length === 1 ? values[0] : values])),
  });
}
