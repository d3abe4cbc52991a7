import { Option } from 'commander';
import { usage } from './failure.ts';

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const pattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;

/** `90s`, `5m`, `1h30m`, or a bare number of seconds, as milliseconds. Throws a usage failure for anything else. */
export function parseDuration(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!pattern.test(text)) throw usage(`${JSON.stringify(text)} is not a duration`, 'Write it as 90s, 5m or 1h30m.');
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, number = '0', unit = 's']) => sum + Number(number) * (units[unit] ?? 0),
    0,
  );
}

/** `--timeout DURATION` of every verb that waits. */
export function timeoutOption(milliseconds: number = 300_000): Option {
  return new Option('--timeout <duration>', 'how long to wait')
    .argParser(parseDuration)
    .default(milliseconds, `${milliseconds / 60_000}m`);
}
