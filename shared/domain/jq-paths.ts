import { isJsonObject, type Json } from './json.ts';
import { type JqNode, parseJq } from './jq-parser.ts';
import type { JsonPath } from './json-paths.ts';

/**
 * The part of jq that says which fields to ignore: paths (`.spec.template.spec.containers[].image`, `.["a"]`, `.[]?`, `..`),
 * `,`, `|`, `select(…)` with comparisons, `and`, `or`, `not`, `has`, `test`, `startswith`, `endswith`, `contains`, `type`,
 * `length`. Anything else is reported as unsupported, never guessed at.
 */
export type JqProgram = { expression: string; node: JqNode } | { expression: string; unsupported: string };

/** Reads an expression; what it cannot read comes back as data. */
export function compileJq(expression: string): JqProgram {
  const parsed = parseJq(expression);
  return typeof parsed === 'string' ? { expression, unsupported: parsed } : { expression, node: parsed };
}

/** An expression that visits more values than this on one object finds nothing (NT-74). */
const mostVisits = 50_000;

/** Paths that the expression selects in a value; none where it is unsupported, fails or is too expensive. */
export function jqPaths(program: JqProgram, value: Json): JsonPath[] {
  if ('unsupported' in program) return [];
  const run: Run = { left: mostVisits };
  try {
    const paths: JsonPath[] = [];
    for (const output of evaluate(program.node, { path: [], value }, run)) {
      if (output.path !== undefined) paths.push(output.path);
    }
    return paths;
  } catch (error) {
    if (error instanceof JqStop) return [];
    throw error;
  }
}

/** A value with where it came from; computed values came from nowhere. */
interface Output {
  path?: JsonPath;
  value: Json | undefined;
}

interface Run {
  left: number;
}

/** jq's own errors (wrong type to index) and the limit. */
class JqStop extends Error {}

function evaluate(node: JqNode, input: Output, run: Run): Output[] {
  run.left -= 1;
  if (run.left < 0) throw new JqStop('too many values');
  switch (node.type) {
    case 'identity':
      return [input];
    case 'recurse':
      return descendants(input, run);
    case 'literal':
      return [{ value: node.value }];
    case 'pipe':
      return evaluate(node.left, input, run).flatMap((output) => evaluate(node.right, output, run));
    case 'comma':
      return [...evaluate(node.left, input, run), ...evaluate(node.right, input, run)];
    case 'field':
      return evaluate(node.target, input, run).flatMap((output) => member(output, node.name, node.optional));
    case 'iterate':
      return evaluate(node.target, input, run).flatMap((output) => members(output, node.optional, run));
    case 'and':
    case 'or':
      return [{ value: combine(node.type, node.left, node.right, input, run) }];
    case 'compare':
      return evaluate(node.left, input, run).flatMap((left) =>
        evaluate(node.right, input, run).map((right) => ({ value: compare(node.operator, left.value, right.value) })),
      );
    case 'call':
      return call(node, input, run);
    default:
      return node satisfies never;
  }
}

function member({ path, value }: Output, name: string | number, optional: boolean): Output[] {
  const at = (key: string | number) => (path === undefined ? {} : { path: [...path, key] });
  if (value === null || value === undefined) return [{ ...at(name), value: undefined }];
  if (typeof name === 'string' && isJsonObject(value)) {
    return [{ ...at(name), value: Object.hasOwn(value, name) ? value[name] : undefined }];
  }
  if (typeof name === 'number' && Array.isArray(value)) {
    const index = name < 0 ? value.length + name : name;
    return [{ ...at(index), value: value[index] }];
  }
  if (optional) return [];
  throw new JqStop(`cannot index ${typeof value}`);
}

function members({ path, value }: Output, optional: boolean, run: Run): Output[] {
  const at = (key: string | number) => (path === undefined ? {} : { path: [...path, key] });
  if (Array.isArray(value)) {
    run.left -= value.length;
    return value.map((item, index) => ({ ...at(index), value: item }));
  }
  if (isJsonObject(value)) return Object.entries(value).map(([key, item]) => ({ ...at(key), value: item }));
  if (optional) return [];
  throw new JqStop(`cannot iterate over ${typeof value}`);
}

function descendants(input: Output, run: Run): Output[] {
  const found: Output[] = [input];
  // The list grows while it is walked: breadth first, without recursion.
  for (const output of found) {
    run.left -= 1;
    if (run.left < 0) throw new JqStop('too many values');
    for (const inner of members(output, true, run)) found.push(inner);
  }
  return found;
}

function combine(type: 'and' | 'or', left: JqNode, right: JqNode, input: Output, run: Run): boolean {
  const first = evaluate(left, input, run).some(isTrue);
  if (type === 'and' ? !first : first) return first;
  return evaluate(right, input, run).some(isTrue);
}

function call(node: Extract<JqNode, { type: 'call' }>, input: Output, run: Run): Output[] {
  const { value } = input;
  if (node.name === 'select') {
    const condition = node.argument as JqNode;
    return evaluate(condition, input, run).some(isTrue) ? [input] : [];
  }
  if (node.name === 'not') return [{ value: !isTrue(input) }];
  if (node.name === 'type') return [{ value: typeName(value) }];
  if (node.name === 'length') return [{ value: lengthOf(value) }];
  if (node.name === 'test') {
    if (typeof value !== 'string' || value.length > 10_000) throw new JqStop('cannot match');
    return [{ value: (node.pattern as RegExp).test(value) }];
  }
  return evaluate(node.argument as JqNode, input, run).map(({ value: wanted }) => ({
    value: textTest(node.name, value, wanted),
  }));
}

function textTest(name: string, value: Json | undefined, wanted: Json | undefined): boolean {
  if (name === 'has' && typeof wanted === 'string' && isJsonObject(value)) return Object.hasOwn(value, wanted);
  if (name === 'has' && typeof wanted === 'number' && Array.isArray(value)) return wanted in value;
  if (typeof wanted === 'string' && typeof value === 'string') {
    if (name === 'startswith') return value.startsWith(wanted);
    if (name === 'endswith') return value.endsWith(wanted);
    if (name === 'contains') return value.includes(wanted);
  }
  throw new JqStop(`cannot ask ${name}`);
}

function compare(operator: string, left: Json | undefined, right: Json | undefined): boolean {
  const a = left ?? null;
  const b = right ?? null;
  if (operator === '==') return sameJson(a, b);
  if (operator === '!=') return !sameJson(a, b);
  const comparable = typeof a === typeof b && (typeof a === 'number' || typeof a === 'string');
  if (!comparable) throw new JqStop('cannot compare');
  const [x, y] = [a as number, b as number];
  return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y;
}

function sameJson(a: Json, b: Json): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

function isTrue({ value }: Output): boolean {
  return value !== null && value !== undefined && value !== false;
}

function typeName(value: Json | undefined): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function lengthOf(value: Json | undefined): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (isJsonObject(value)) return Object.keys(value).length;
  return typeof value === 'number' ? Math.abs(value) : 0;
}
