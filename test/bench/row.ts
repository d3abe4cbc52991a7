/** One measured figure. */
export interface BenchRow {
  name: string;
  value: number;
  /** `s`, `ms`, `MiB`, `KB`, `1/s`, `×`, or a plural of what is counted. */
  unit: string;
  /** What it may be at most; absent for figures that only inform. */
  budget?: number;
  /** What it must be at least, for rates. */
  atLeast?: number;
  /** What a peer needs, or how it was measured. */
  note?: string;
}

export type Verdict = 'ok' | 'over' | '';

/** `over` where the budget is broken; a budget of 0 allows nothing. NaN is never ok. */
export function verdictOf(row: BenchRow): Verdict {
  if (row.budget === undefined && row.atLeast === undefined) return '';
  const within =
    (row.budget === undefined || row.value <= row.budget) && (row.atLeast === undefined || row.value >= row.atLeast);
  return within ? 'ok' : 'over';
}

/** How much of the budget is used: above 1 is over. Undefined where there is none. */
export function ratioOf(row: BenchRow): number | undefined {
  if (row.atLeast !== undefined) return row.atLeast / row.value;
  if (row.budget === undefined) return undefined;
  if (row.budget === 0) return row.value === 0 ? 0 : Infinity;
  return row.value / row.budget;
}

/** Rows as a table: name, value, unit, budget, ratio to budget, verdict, note. */
export function renderRows(rows: readonly BenchRow[]): string {
  const head = ['FIGURE', 'VALUE', 'UNIT', 'BUDGET', 'RATIO', '', 'NOTE'];
  const cells = [head, ...rows.map((row) => cellsOf(row))];
  const widths = head.map((_, column) => Math.max(...cells.map((line) => (line[column] ?? '').length)));
  const numeric = [1, 3, 4];
  return cells
    .map((line) =>
      line
        .map((cell, i) => (numeric.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Shows the rows of one bench that was started by itself. */
export function printRows(rows: readonly BenchRow[]): void {
  console.log(renderRows(rows));
}

/** Three significant digits, and no exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function cellsOf(row: BenchRow): string[] {
  const budget = row.atLeast === undefined ? row.budget : row.atLeast;
  const limit = budget === undefined ? '' : `${row.atLeast === undefined ? '≤' : '≥'} ${figure(budget)}`;
  const ratio = ratioOf(row);
  return [
    row.name,
    figure(row.value),
    row.unit,
    limit,
    ratio === undefined ? '' : ratio.toFixed(2),
    verdictOf(row),
    row.note ?? '',
  ];
}
