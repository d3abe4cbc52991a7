import { HawserError } from '../errors.ts';
import { durationIn } from './duration.ts';

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const duration = /^(?:\d{1,6}[smhdw])+$/;
const date = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
/** Whoever means longer means for good, and leaves the expiry out. */
const longestMs = 3653 * 86_400_000;

/**
 * When something ends that people give an expiry: `90d`, `12h`, `1d12h` count from `now`; `2027-01-31` is the moment when
 * that day begins in UTC; an ISO 8601 time with its zone is itself. Milliseconds since 1970, in and out.
 * Throws `invalid-input` for anything else, for what is over already, and for more than ten years.
 */
export function parseExpiry(text: string, now: number): number {
  const span = duration.test(text) ? durationIn(unitMs, text) : undefined;
  const at = span !== undefined ? now + span : date.test(text) ? dateMs(text) : Number.NaN;
  if (Number.isNaN(at)) throw invalid(text, 'is neither a duration nor a date');
  if (at <= now) throw invalid(text, 'is over already');
  if (at > now + longestMs) throw invalid(text, 'is more than ten years away');
  return at;
}

/** NaN for days that no calendar has, which Date takes for days of the next month. */
function dateMs(text: string): number {
  const day = text.slice(0, 10);
  const begins = Date.parse(day);
  if (Number.isNaN(begins) || new Date(begins).toISOString().slice(0, 10) !== day) return Number.NaN;
  return Date.parse(text);
}

function invalid(text: string, why: string): HawserError {
  return new HawserError('invalid-input', `expires: ${JSON.stringify(text.slice(0, 40))} ${why}`, {
    hint: 'Write it as 12h, 90d, 2027-01-31 or 2027-01-31T18:00:00Z, or leave it out.',
  });
}
