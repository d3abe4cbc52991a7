import type { Json } from './json.ts';

export type JqNode =
  | { type: 'identity' }
  | { type: 'recurse' }
  | { type: 'literal'; value: Json }
  | { type: 'pipe' | 'comma' | 'and' | 'or'; left: JqNode; right: JqNode }
  | { type: 'compare'; operator: string; left: JqNode; right: JqNode }
  | { type: 'field'; target: JqNode; name: string | number; optional: boolean }
  | { type: 'iterate'; target: JqNode; optional: boolean }
  | { type: 'call'; name: string; argument?: JqNode; pattern?: RegExp };

const longestExpression = 1000;
const functions: Readonly<Record<string, 'none' | 'one' | 'pattern'>> = {
  select: 'one',
  has: 'one',
  startswith: 'one',
  endswith: 'one',
  contains: 'one',
  not: 'none',
  type: 'none',
  length: 'none',
  test: 'pattern',
};
const comparisons = new Set(['==', '!=', '<', '<=', '>', '>=']);
const tokenPattern =
  /\s*(?:("(?:[^"\\]|\\.)*")|(\.\.)|(==|!=|<=|>=|[.[\](){}|,?<>;:$+*/%=-])|(\d+(?:\.\d+)?)|([A-Za-z_]\w*))/y;

interface Token {
  kind: 'text' | 'symbol' | 'number' | 'word';
  text: string;
}

/** The tree of an expression, or why it is not supported. */
export function parseJq(expression: string): JqNode | string {
  if (expression.length > longestExpression) return `it is longer than ${longestExpression} characters`;
  const tokens = tokenize(expression);
  if (typeof tokens === 'string') return tokens;
  const parser = { tokens, at: 0 };
  try {
    const node = parsePipe(parser);
    const rest = parser.tokens[parser.at];
    return rest === undefined ? node : `'${rest.text}' is not expected here`;
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    throw error;
  }
}

class Unsupported extends Error {}

interface Parser {
  tokens: Token[];
  at: number;
}

function tokenize(expression: string): Token[] | string {
  const tokens: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  while (pattern.lastIndex < expression.trimEnd().length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(expression);
    if (match === null) return `'${expression.slice(from).trim().slice(0, 20)}' is not understood`;
    const [, text, recurse, symbol, number, word] = match;
    if (text !== undefined) tokens.push({ kind: 'text', text });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else tokens.push({ kind: 'symbol', text: (recurse ?? symbol) as string });
  }
  return tokens.length === 0 ? 'it is empty' : tokens;
}

// jq's precedence, loosest first: | , or and comparisons, then terms with their suffixes.
function parsePipe(parser: Parser): JqNode {
  const left = parseBinary(parser, [',', 'or', 'and']);
  return take(parser, '|') ? { type: 'pipe', left, right: parsePipe(parser) } : left;
}

function parseBinary(parser: Parser, [operator, ...tighter]: string[]): JqNode {
  if (operator === undefined) return parseComparison(parser);
  let left = parseBinary(parser, tighter);
  const type = operator === ',' ? 'comma' : (operator as 'or' | 'and');
  while (take(parser, operator)) left = { type, left, right: parseBinary(parser, tighter) };
  return left;
}

function parseComparison(parser: Parser): JqNode {
  const left = parseTerm(parser);
  const operator = parser.tokens[parser.at]?.text ?? '';
  if (parser.tokens[parser.at]?.kind !== 'symbol' || !comparisons.has(operator)) return left;
  parser.at += 1;
  return { type: 'compare', operator, left, right: parseTerm(parser) };
}

function parseTerm(parser: Parser): JqNode {
  const token = next(parser);
  if (token.text === '..' && token.kind === 'symbol') return parseSuffixes(parser, { type: 'recurse' });
  if (token.text === '.' && token.kind === 'symbol') return parseSuffixes(parser, dotted(parser));
  if (token.text === '(' && token.kind === 'symbol') {
    const inner = parsePipe(parser);
    expect(parser, ')');
    return parseSuffixes(parser, inner);
  }
  if (token.text === '-' && parser.tokens[parser.at]?.kind === 'number') {
    return { type: 'literal', value: -Number(next(parser).text) };
  }
  if (token.kind === 'text') return { type: 'literal', value: textOf(token) };
  if (token.kind === 'number') return { type: 'literal', value: Number(token.text) };
  if (token.text === 'true' || token.text === 'false') return { type: 'literal', value: token.text === 'true' };
  if (token.text === 'null') return { type: 'literal', value: null };
  if (token.kind === 'word') return parseSuffixes(parser, parseCall(parser, token.text));
  throw new Unsupported(`'${token.text}' is not supported`);
}

/** After a single dot: `.name`, `."name"`, or the value itself. */
function dotted(parser: Parser): JqNode {
  const token = parser.tokens[parser.at];
  if (token?.kind !== 'word' && token?.kind !== 'text') return { type: 'identity' };
  parser.at += 1;
  const name = token.kind === 'text' ? textOf(token) : token.text;
  return { type: 'field', target: { type: 'identity' }, name, optional: take(parser, '?') };
}

function parseSuffixes(parser: Parser, start: JqNode): JqNode {
  let node = start;
  for (;;) {
    if (take(parser, '[')) node = bracketed(parser, node);
    else if (parser.tokens[parser.at]?.text === '.' && parser.tokens[parser.at]?.kind === 'symbol') {
      parser.at += 1;
      const token = next(parser);
      if (token.kind === 'symbol' && token.text === '[') node = bracketed(parser, node);
      else if (token.kind === 'word' || token.kind === 'text') {
        const name = token.kind === 'text' ? textOf(token) : token.text;
        node = { type: 'field', target: node, name, optional: take(parser, '?') };
      } else throw new Unsupported(`'.${token.text}' is not supported`);
    } else if (!take(parser, '?')) return node;
  }
}

function bracketed(parser: Parser, target: JqNode): JqNode {
  if (take(parser, ']')) return { type: 'iterate', target, optional: take(parser, '?') };
  const sign = take(parser, '-') ? -1 : 1;
  const token = next(parser);
  if (token.kind !== 'text' && token.kind !== 'number') throw new Unsupported(`'[${token.text}' is not supported`);
  expect(parser, ']');
  const name = token.kind === 'text' ? textOf(token) : sign * Number(token.text);
  return { type: 'field', target, name, optional: take(parser, '?') };
}

function parseCall(parser: Parser, name: string): JqNode {
  const takes = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (takes === undefined) throw new Unsupported(`'${name}' is not supported`);
  if (takes === 'none') return { type: 'call', name };
  expect(parser, '(');
  if (takes === 'one') {
    const argument = parsePipe(parser);
    expect(parser, ')');
    return { type: 'call', name, argument };
  }
  const pattern = next(parser);
  const flags = take(parser, ';') ? textOf(next(parser)) : '';
  expect(parser, ')');
  return { type: 'call', name, pattern: patternOf(textOf(pattern), flags) };
}

/** Only patterns that no text can make slow: no repetition inside a repetition, at most two that are open (NT-74). */
function patternOf(source: string, flags: string): RegExp {
  const plain = source.replaceAll(/\\./g, 'x').replaceAll(/\[[^\]]*\]/g, 'x');
  const repeats = plain.match(/[*+{]/g)?.length ?? 0;
  if (source.length > 200 || /\)[*+{]/.test(plain) || repeats > 2 || /\\[1-9k]|\(\?/.test(source)) {
    throw new Unsupported(`the pattern ${JSON.stringify(source.slice(0, 40))} is not supported`);
  }
  if (!/^[i]?$/.test(flags)) throw new Unsupported(`the flags '${flags}' are not supported`);
  try {
    return new RegExp(source, flags);
  } catch {
    throw new Unsupported(`the pattern ${JSON.stringify(source.slice(0, 40))} is not a regular expression`);
  }
}

function textOf(token: Token): string {
  if (token.kind !== 'text') throw new Unsupported(`a text is expected instead of '${token.text}'`);
  try {
    return JSON.parse(token.text) as string;
  } catch {
    throw new Unsupported(`the text ${token.text.slice(0, 40)} is not supported`);
  }
}

function next(parser: Parser): Token {
  const token = parser.tokens[parser.at];
  if (token === undefined) throw new Unsupported('it ends too early');
  parser.at += 1;
  return token;
}

function take(parser: Parser, text: string): boolean {
  const token = parser.tokens[parser.at];
  if (token === undefined || token.text !== text || token.kind === 'text') return false;
  parser.at += 1;
  return true;
}

function expect(parser: Parser, text: string): void {
  if (!take(parser, text)) throw new Unsupported(`'${text}' is missing`);
}
