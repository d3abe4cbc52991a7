import { estimate, totalOf, type CostLine, type Inventory } from './estimate.ts';
import { prices, pricesOf } from './prices.ts';
import { countsOf, sizes, type Usage } from './usage.ts';

/** The estimate as text: a column for each size, what costs most first, and what the figures rest on. */
export function printEstimate(inventory: Inventory, of: readonly Usage[] = sizes): string {
  const columns = of.map((usage) => ({ usage, lines: estimate(inventory, usage) }));
  const names = [...new Set(columns.flatMap(({ lines }) => lines.map(({ what }) => groupOf(what))))];
  const amount = (lines: readonly CostLine[], group: string) =>
    totalOf(lines.filter(({ what }) => groupOf(what) === group));
  const largest = columns.at(-1)?.lines ?? [];
  const rows = names
    .toSorted((a, b) => amount(largest, b) - amount(largest, a))
    .map((group) => [group, ...columns.map(({ lines }) => dollars(amount(lines, group)))]);
  const head = ['USD a month', ...columns.map(({ usage }) => `${usage.clusters} × ${countsOf(usage).applications}`)];
  const totals = ['all', ...columns.map(({ lines }) => dollars(totalOf(lines)))];
  const each = [
    'for each application',
    ...columns.map(({ usage, lines }) => dollars(totalOf(lines) / countsOf(usage).applications)),
  ];
  const [first] = of;
  return [
    'Estimated costs (clusters × applications)',
    ...table([head, ...rows, totals, each]),
    `Prices: ${pricesOf.region}, ${pricesOf.note}.`,
    first === undefined
      ? ''
      : `Use: ${first.pushesPerApplicationAndDay} pushes for each application and day, ${first.applicationsPerRepository} applications in a repository, agents ${first.agents}. Method: infra/aws/README.md.`,
  ].join('\n');
}

/** Every price with its source, for the curious. */
export function printPrices(): string {
  return table(Object.entries(prices).map(([name, { usd, unit, from }]) => [name, String(usd), unit, from])).join('\n');
}

/** `function plan: invocations` → `functions`. */
function groupOf(what: string): string {
  if (what.startsWith('function ')) return 'functions';
  return what.split(':')[0] ?? what;
}

function dollars(usd: number): string {
  return usd.toFixed(2);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart((widths[column] ?? 0) + 2),
      )
      .join('')
      .trimEnd(),
  );
}
