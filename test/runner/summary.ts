/** What became of a tier's tests. A test file that does not load, and an error outside any test, count as failed. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface SkippedTest {
  name: string;
  /** '' where the test gave none. */
  reason: string;
}

/** What the reporter hands over for one run of vitest. */
export interface TierResult extends Counts {
  files: number;
  /** Names of what failed, for the list at the end. */
  failures: string[];
  skips: SkippedTest[];
}

/** One line of the result. */
export interface TierLine extends Counts {
  name: string;
  seconds: number;
  /** Why nothing ran, or what else is to be said. */
  note: string;
  failures: string[];
  skips: SkippedTest[];
}

export const noCounts: Counts = { passed: 0, failed: 0, skipped: 0 };

export function total(lines: readonly Counts[]): Counts {
  return lines.reduce<Counts>(
    (sum, line) => ({
      passed: sum.passed + line.passed,
      failed: sum.failed + line.failed,
      skipped: sum.skipped + line.skipped,
    }),
    noCounts,
  );
}

/** The result as text: failures by name, skips by reason, a line for each tier, and the sum alone on the last line. */
export function renderSummary(lines: readonly TierLine[]): string {
  const failures = lines.flatMap((line) => line.failures.map((name) => `  ${line.name}: ${name}`));
  const skips = lines.flatMap((line) => skipLines(line));
  const width = Math.max(...lines.map((line) => line.name.length), 4);
  const rows = lines.map((line) => renderLine(line, width));
  const parts = [
    ...(failures.length > 0 ? ['Failed', ...failures, ''] : []),
    ...(skips.length > 0 ? ['Skipped, and why', ...skips, ''] : []),
    ...rows,
    '',
    sumLine(total(lines)),
  ];
  return parts.join('\n');
}

export function sumLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

function renderLine(line: TierLine, width: number): string {
  const counts = `${pad(line.passed)} passed ${pad(line.failed)} failed ${pad(line.skipped)} skipped`;
  const seconds = `${line.seconds.toFixed(1).padStart(7)} s`;
  return `${line.name.padEnd(width)} ${counts} ${seconds}${line.note === '' ? '' : `  ${line.note}`}`;
}

function skipLines(line: TierLine): string[] {
  const byReason = Map.groupBy(line.skips, (skip) => skip.reason);
  return [...byReason].map(([reason, skips]) => {
    const names = skips.length > 3 ? `${skips.length} tests` : skips.map((skip) => skip.name).join('; ');
    return `  ${line.name}: ${names}: ${reason === '' ? 'no reason given' : reason}`;
  });
}

function pad(count: number): string {
  return String(count).padStart(5);
}
