import { HawserError } from '../../errors.ts';

const unitSeconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
/** A year; nothing that people configure is longer (NT-75). */
const longest = 366 * 24 * 3600;

/** Go's duration text (`1m30s`, `500ms`, or a bare number of seconds) in seconds; undefined stays undefined. */
export function durationSeconds(value: string | undefined, where: string): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^\d+$/.test(value)) return check(Number(value), value, where);
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.map((part) => part[0]).join('') !== value) throw invalid(value, where);
  return check(
    parts.reduce((sum, part) => sum + Number(part[1]) * (unitSeconds[part[2] ?? ''] ?? 0), 0),
    value,
    where,
  );
}

function check(seconds: number, value: string, where: string): number {
  if (!Number.isFinite(seconds) || seconds > longest) throw invalid(value, where);
  return seconds;
}

function invalid(value: string, where: string): HawserError {
  return new HawserError('invalid-input', `${where} ${JSON.stringify(value.slice(0, 40))} is not a duration`, {
    hint: 'Use for example 30s, 5m or 1h30m; at most one year.',
  });
}
