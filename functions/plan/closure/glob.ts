import { HawserError } from '#shared/errors.ts';

/** One step of a compiled pattern: a character, or any number of them. */
interface Step {
  many: boolean;
  accepts(character: string): boolean;
}

export interface GlobOptions {
  /** `*` and `?` stop at slashes and `**` does not; without it a `*` matches slashes too, as in Argo CD's include and exclude. */
  separator: boolean;
  /** `{a,b}` are alternatives. */
  braces: boolean;
}

const LENGTH = 256;
const ALTERNATIVES = 64;

/**
 * Compiles a glob to a function that takes time proportional to text times pattern, whatever the pattern: users write
 * them, and libraries that make regular expressions of them can be stalled for minutes (NT-74, LIM-14).
 * Knows `*`, `**`, `?`, `[a-z]`, `[!a]`, `{a,b}` and `\`.
 */
export function compileGlob(pattern: string, options: GlobOptions): (text: string) => boolean {
  if (pattern.length > LENGTH) throw invalid(pattern, `is longer than ${LENGTH} characters (LIM-14)`);
  const alternatives = options.braces ? expandBraces(pattern) : [pattern];
  const compiled = alternatives
    .flatMap((one) => (options.separator ? expandFolders(one) : [one]))
    .map((one) => parseSteps(one, options));
  if (compiled.length > ALTERNATIVES) throw invalid(pattern, 'has too many alternatives');
  return (text) => compiled.some((steps) => matches(steps, text));
}

/** True where the text has characters that make it a pattern. */
export function isGlob(text: string): boolean {
  return /[*?[{]/.test(text);
}

/** Walks all states at once: position `i` is active where the first `i` steps match the text so far. */
function matches(steps: readonly Step[], text: string): boolean {
  let active = new Uint8Array(steps.length + 1);
  active[0] = 1;
  skipMany(steps, active);
  for (const character of text) {
    const next = new Uint8Array(steps.length + 1);
    for (const [index, step] of steps.entries()) {
      if (active[index] !== 1 || !step.accepts(character)) continue;
      next[step.many ? index : index + 1] = 1;
    }
    skipMany(steps, next);
    active = next;
  }
  return active[steps.length] === 1;
}

function skipMany(steps: readonly Step[], active: Uint8Array): void {
  for (const [index, step] of steps.entries()) if (active[index] === 1 && step.many) active[index + 1] = 1;
}

function parseSteps(pattern: string, { separator }: GlobOptions): Step[] {
  const steps: Step[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') {
      const isDouble = characters[at + 1] === '*';
      while (characters[at + 1] === '*') at += 1;
      steps.push({ many: true, accepts: isDouble || !separator ? anything : inName });
    } else if (character === '?') {
      steps.push({ many: false, accepts: separator ? inName : anything });
    } else if (character === '[') {
      const end = characters.indexOf(']', at + 2);
      if (end < 0) throw invalid(pattern, 'has a [ without a ]');
      steps.push({ many: false, accepts: characterClass(characters.slice(at + 1, end)) });
      at = end;
    } else {
      if (character === '\\') at += 1;
      const literal = character === '\\' ? (characters[at] ?? '\\') : character;
      steps.push({ many: false, accepts: (other) => other === literal });
    }
  }
  return steps;
}

function anything(): boolean {
  return true;
}

function inName(character: string): boolean {
  return character !== '/';
}

function characterClass(body: readonly string[]): (character: string) => boolean {
  const isNegated = body[0] === '!' || body[0] === '^';
  const members = isNegated ? body.slice(1) : body;
  const ranges: [string, string][] = [];
  for (let at = 0; at < members.length; at += 1) {
    const from = members[at] ?? '';
    const to = members[at + 1] === '-' ? members[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  return (character) =>
    character !== '/' && ranges.some(([from, to]) => character >= from && character <= to) !== isNegated;
}

/** A `**` that is a whole name also stands for no folder at all. */
function expandFolders(pattern: string): string[] {
  const at = pattern.startsWith('**/') ? 0 : pattern.indexOf('/**/') + 1;
  if (at === 0 && !pattern.startsWith('**/')) return [pattern];
  const head = pattern.slice(0, at);
  const tails = expandFolders(pattern.slice(at + 3));
  if (tails.length > ALTERNATIVES) throw invalid(pattern, 'has too many alternatives');
  return tails.flatMap((tail) => [`${head}${tail}`, `${head}**/${tail}`]);
}

function expandBraces(pattern: string): string[] {
  const open = findOpen(pattern);
  if (open < 0) return [pattern];
  const parts: string[] = [];
  let depth = 0;
  let start = open + 1;
  let close = -1;
  for (let at = open; at < pattern.length && close < 0; at += 1) {
    const character = pattern[at];
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if ((character === ',' && depth === 1) || depth === 0) {
      parts.push(pattern.slice(start, at));
      start = at + 1;
    }
    if (depth === 0) close = at;
  }
  if (close < 0) throw invalid(pattern, 'has a { without a }');
  const tails = expandBraces(pattern.slice(close + 1));
  const heads = parts.flatMap((part) => expandBraces(part));
  if (heads.length * tails.length > ALTERNATIVES) throw invalid(pattern, 'has too many alternatives');
  return heads.flatMap((middle) => tails.map((tail) => `${pattern.slice(0, open)}${middle}${tail}`));
}

function findOpen(pattern: string): number {
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === '{') return at;
  }
  return -1;
}

function invalid(pattern: string, reason: string): HawserError {
  return new HawserError('source-invalid', `The pattern ${JSON.stringify(pattern.slice(0, 80))} ${reason}`);
}
