import { Option } from 'commander';
import { durationIn } from '#shared/domain/duration.ts';
import { usage } from './failure.ts';

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `90s`, `5m`, `1h30m`, or a bare number of seconds, as milliseconds. Throws a usage failure for anything else. */
export function parseDuration(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const milliseconds = durationIn(units, text);
  if (milliseconds !== undefined) return milliseconds;
  throw usage(`${JSON.stringify(text)} is not a duration`, 'Write it as 90s, 5m or 1h30m.');
}

/** `--timeout DURATION` of every verb that waits. */
export function timeoutOption(milliseconds: number = 300_000): Option {
  return new Option('--timeout <duration>', 'how long to wait')
    .argParser(parseDuration)
    .default(milliseconds, `${milliseconds / 60_000}m`);
}
