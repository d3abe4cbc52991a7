import { HawserError } from '../../errors.ts';
import { matchesPattern } from './envsubst-pattern.ts';

/**
 * Flux's variable substitution (flux.md §2.3): bash-like `${name}` with lengths, cases, defaults, substrings, trims and
 * replacements; `$$` is a literal `$`, a bare `$name` is never touched. Strict: a variable without value and default is
 * an error. Line feeds are stripped from values. Throws `render-failed`.
 */
export function substituteVariables(text: string, variables: Record<string, string>): string {
  const values = new Map(Object.entries(variables).map(([name, value]) => [name, value.replaceAll('\n', '')]));
  return evaluate(parse(text), values);
}

/** Throws `render-failed` unless every name is one that Flux accepts. */
export function requireVariableNames(variables: Record<string, string>): void {
  for (const name of Object.keys(variables)) {
    if (/^[_A-Za-z][_A-Za-z0-9]*$/.test(name)) continue;
    throw new HawserError(
      'render-failed',
      `'${name.slice(0, 100)}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'`,
    );
  }
}

type Part = string | { name: string; operator: string; arguments: Part[] };

/** The longest first, so that `##` is not read as `#`. */
const operators = [':=', ':-', ':?', ':+', '=', ':', ',,', ',', '^^', '^', '//', '/#', '/%', '/', '##', '#', '%%', '%'];
const defaults = new Set(['=', ':=', ':-', ':?', ':+']);

interface Cursor {
  text: string;
  at: number;
}

function parse(text: string): Part[] {
  const cursor: Cursor = { text, at: 0 };
  const parts: Part[] = [];
  let literal = '';
  while (cursor.at < text.length) {
    const dollar = text.indexOf('$', cursor.at);
    if (dollar < 0) break;
    literal += text.slice(cursor.at, dollar);
    const next = text[dollar + 1];
    cursor.at = dollar + (next === '$' || next === '{' ? 2 : 1);
    if (next !== '{') {
      literal += '$';
      continue;
    }
    parts.push(literal, parseExpansion(cursor));
    literal = '';
  }
  parts.push(literal + text.slice(cursor.at));
  return parts;
}

/** After `${`. */
function parseExpansion(cursor: Cursor): Part {
  if (cursor.text[cursor.at] === '#') {
    cursor.at += 1;
    const name = takeName(cursor) ?? fail('bad substitution');
    close(cursor, 'bad substitution');
    return { name, operator: '#', arguments: [] };
  }
  const name = takeName(cursor) ?? fail('unable to parse variable name');
  const operator = operators.find((candidate) => cursor.text.startsWith(candidate, cursor.at));
  if (operator === undefined) {
    close(cursor, 'missing closing brace');
    return { name, operator: '', arguments: [] };
  }
  cursor.at += operator.length;
  return { name, operator, arguments: parseArguments(cursor, operator) };
}

function parseArguments(cursor: Cursor, operator: string): Part[] {
  const found: Part[] = [];
  if (defaults.has(operator)) {
    while (cursor.text[cursor.at] !== '}') found.push(takeArgument(cursor, '}', false));
  } else if (operator === ':') {
    found.push(takeArgument(cursor, ':}', false));
    if (cursor.text[cursor.at] === ':') {
      while (cursor.text[cursor.at] === ':') cursor.at += 1;
      found.push(takeArgument(cursor, '}', false));
    }
  } else if (operator.startsWith('/')) {
    found.push(takeArgument(cursor, '/', true));
    if (cursor.text[cursor.at] !== '/') fail('bad substitution');
    while (cursor.text[cursor.at] === '/') cursor.at += 1;
    if (cursor.text[cursor.at] !== '}') found.push(takeArgument(cursor, '}', true));
  } else if (operator.startsWith('#') || operator.startsWith('%')) {
    found.push(takeArgument(cursor, '}', false));
  }
  close(cursor, 'bad substitution');
  return found;
}

/** One argument: an expansion, or text up to one of the stops or the next expansion. With escapes, `\/`, `\\` and `$$` lose their first character. */
function takeArgument(cursor: Cursor, stops: string, hasEscapes: boolean): Part {
  const { text } = cursor;
  if (text.startsWith('${', cursor.at)) {
    cursor.at += 2;
    return parseExpansion(cursor);
  }
  let value = '';
  while (cursor.at < text.length && !text.startsWith('${', cursor.at)) {
    const character = text[cursor.at] ?? '';
    const next = text[cursor.at + 1] ?? '';
    const isEscape =
      hasEscapes && ((character === '\\' && (next === '/' || next === '\\')) || (character === '$' && next === '$'));
    if (isEscape) {
      value += next;
      cursor.at += 2;
    } else if (stops.includes(character)) break;
    else {
      value += character;
      cursor.at += 1;
    }
  }
  return value === '' ? fail('unable to parse substitution within function') : value;
}

function takeName(cursor: Cursor): string | undefined {
  const pattern = /[\p{L}\p{Nd}_]+/uy;
  pattern.lastIndex = cursor.at;
  const name = pattern.exec(cursor.text)?.[0];
  cursor.at += name?.length ?? 0;
  return name;
}

function close(cursor: Cursor, problem: string): void {
  if (cursor.text[cursor.at] !== '}') fail(problem);
  cursor.at += 1;
}

function fail(problem: string): never {
  throw new HawserError('render-failed', `variable substitution failed: ${problem}`, {
    hint: 'Write $${…} for text that is not a variable, or annotate the object with kustomize.toolkit.fluxcd.io/substitute: disabled.',
  });
}

function evaluate(parts: Part[], values: Map<string, string>): string {
  return parts.map((part) => (typeof part === 'string' ? part : expand(part, values))).join('');
}

function expand({ name, operator, arguments: given }: Exclude<Part, string>, values: Map<string, string>): string {
  const found = given.map((part) => evaluate([part], values));
  const value = values.get(name);
  if (value === undefined && !defaults.has(operator)) {
    throw new HawserError('render-failed', `variable substitution failed: variable not set (strict mode): "${name}"`, {
      data: { variable: name },
      hint: `Set ${name} in postBuild.substitute, give it a default with \${${name}:=…}, or write $\${${name}}.`,
    });
  }
  return applyOperator(operator, value ?? '', found);
}

function applyOperator(operator: string, value: string, found: string[]): string {
  const [first = '', second = ''] = found;
  if (defaults.has(operator)) return value === '' ? found.join('') : value;
  if (operator === '#' && found.length === 0) return String(Buffer.byteLength(value));
  if (operator.startsWith(',') || operator.startsWith('^')) return changeCase(operator, value);
  if (operator === ':') return substring(value, found);
  if (operator === '//') return first === '' ? value.split('').join(second) : value.replaceAll(first, () => second);
  if (operator === '/') return value.replace(first, () => second);
  if (operator === '/#')
    return found.length === 2 && value.startsWith(first) ? second + value.slice(first.length) : value;
  if (operator === '/%')
    return found.length === 2 && value.endsWith(first) ? value.slice(0, value.length - first.length) + second : value;
  if (operator === '#' || operator === '##') return trimStart(value, first, operator === '##');
  if (operator === '%' || operator === '%%')
    return reverse(trimStart(reverse(value), reverse(first), operator === '%%'));
  return value;
}

function changeCase(operator: string, value: string): string {
  if (operator === ',,') return value.toLowerCase();
  if (operator === '^^') return value.toUpperCase();
  const [first = ''] = value;
  return (operator === ',' ? first.toLowerCase() : first.toUpperCase()) + value.slice(first.length);
}

/** Offsets count bytes, as Go's do. A position or length that is no number leaves the value as it is. */
function substring(value: string, [from = '', count]: string[]): string {
  const bytes = Buffer.from(value);
  if (!/^[-+]?\d+$/.test(from)) return value;
  const start = Number(from) < 0 ? Math.max(bytes.length + Number(from), 0) : Number(from);
  if (count === undefined) return bytes.subarray(Math.min(start, bytes.length)).toString();
  if (!/^[-+]?\d+$/.test(count)) return value;
  const end = Number(count) < 0 ? bytes.length + Number(count) : Math.min(start + Number(count), bytes.length);
  return end < start ? '' : bytes.subarray(start, end).toString();
}

/** Removes the shortest or longest beginning that the pattern matches; a beginning is at least one character. */
function trimStart(value: string, pattern: string, longest: boolean): string {
  let shortest: string | undefined;
  for (let end = value.length; end > 0; end -= 1) {
    const match = matchesPattern(pattern, value.slice(0, end));
    if (match === undefined) return value;
    if (!match) continue;
    if (longest) return value.slice(end);
    shortest = value.slice(end);
  }
  return shortest ?? value;
}

function reverse(text: string): string {
  return Array.from(text).toReversed().join('');
}
