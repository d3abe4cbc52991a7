import { HawserError } from '../../errors.ts';
import { durationIn } from '../duration.ts';

const unitSeconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
/** A year; nothing that people configure is longer (NT-75). */
const longest = 366 * 24 * 3600;

/** Go's duration text (`1m30s`, `500ms`, or a bare number of seconds) in seconds; undefined stays undefined. */
export function durationSeconds(value: string | undefined, where: string): number | undefined {
  if (value === undefined || value === '') return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : durationIn(unitSeconds, value);
  if (seconds === undefined || !Number.isFinite(seconds) || seconds > longest) throw invalid(value, where);
  return seconds;
}

function invalid(value: string, where: string): HawserError {
  return new HawserError('invalid-input', `${where} ${JSON.stringify(value.slice(0, 40))} is not a duration`, {
    hint: 'Use for example 30s, 5m or 1h30m; at most one year.',
  });
}
