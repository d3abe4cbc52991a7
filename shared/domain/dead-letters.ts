import type { z } from 'zod';
import { HawserError } from '../errors.ts';

/**
 * Messages of ours may carry `format`; absent means 1. It rises only where an older receiver would misread what it cannot
 * see is new to it; fields and words that are added need no new number.
 */
const newestFormat = 1;
const newerMark = 'from a newer version of Hawser';
const unanswered = 'without an answer';

const hour = 3600_000;
/** A letter that nobody answered for may be one that kills its function, so it gets a day; what told us that it must wait gets a week. */
const unansweredMs = 24 * hour;
const answeredMs = 7 * 24 * hour;
/** Codes of errors that pass when somebody or something else works again; others, also where a later try may help, are faults of ours. */
const passing = new Set([
  'unavailable',
  'timeout',
  'rate-limited',
  'conflict',
  'repository-unreachable',
  'cluster-unreachable',
]);

/** Whether what failed waits for somebody else, and not for a mended message or handler (FT-48). */
export function isOutage(error: unknown): boolean {
  return error instanceof HawserError && error.retry === 'later' && passing.has(error.code);
}

/** The reason of a dead letter that ran out of receives while nobody settled it: throttled, killed, or cut off (FT-13). */
export function unansweredReason(receives: number): string {
  return `received ${receives} times, the last time ${unanswered}`;
}

/**
 * Whether a dead letter is worth sending again by itself: it died because something was away, because nobody ran, or because
 * its receiver was older than its sender. `age`: milliseconds since the message was first sent; after its days it waits for people.
 */
export function mayLiveAgain(reason: string, age: number): boolean {
  const [code = ''] = reason.split(': ', 1);
  if (reason.includes(newerMark) || passing.has(code)) return age < answeredMs;
  return reason.includes(unanswered) && age < unansweredMs;
}

/**
 * Why a message that does not fit its schema seems to come from a newer version: its format is higher, or all that is wrong
 * are words that this version does not know. undefined where it is plainly broken (FT-110).
 */
export function newerProblem(json: unknown, issues: readonly z.core.$ZodIssue[]): string | undefined {
  const format = at(json, ['format']);
  if (typeof format === 'number' && format > newestFormat) return `${newerMark}: its format is ${format}`;
  const unknown = unknownWords(json, issues);
  if (unknown === undefined) return undefined;
  return `perhaps ${newerMark}: it says ${unknown.join(', ')}, which this version does not know`;
}

/** `result.status "paused"` for each issue; undefined where anything else is wrong than words that are not known. */
function unknownWords(json: unknown, issues: readonly z.core.$ZodIssue[]): string[] | undefined {
  const words = issues.map((issue) => unknownWord(json, issue));
  return words.length === 0 || words.includes(undefined) ? undefined : (words as string[]);
}

function unknownWord(json: unknown, issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'invalid_union' && !('discriminator' in issue)) {
    // A member that all but fits is the one that was meant.
    const inside = at(json, issue.path);
    return issue.errors.map((errors) => unknownWords(inside, errors)?.join(', ')).find((words) => words !== undefined);
  }
  const path = pathOfWord(issue);
  const value = path === undefined ? undefined : at(json, path);
  if (path === undefined || (typeof value !== 'string' && typeof value !== 'number')) return undefined;
  return `${path.join('.')} ${JSON.stringify(value).slice(0, 80)}`;
}

/** Of an enumeration, or of what tells the members of a union apart. */
function pathOfWord(issue: z.core.$ZodIssue): PropertyKey[] | undefined {
  if (issue.code === 'invalid_value') return issue.path;
  const name = issue.code === 'invalid_union' && 'discriminator' in issue ? issue.discriminator : undefined;
  if (typeof name !== 'string') return undefined;
  return issue.path.at(-1) === name ? issue.path : [...issue.path, name];
}

function at(json: unknown, path: readonly PropertyKey[]): unknown {
  let value = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
