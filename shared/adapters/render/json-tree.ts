/** A number as text, so that 64-bit integers survive. `digits` is what canonical JSON prints. */
export interface JsonNumber {
  readonly digits: string;
}

export type JsonMap = Map<string, JsonTree>;

/** JSON in memory without JavaScript's numbers and without objects that have a prototype (NT-170, NT-171). */
export type JsonTree = null | boolean | string | JsonNumber | JsonTree[] | JsonMap;

/** Canonical text: no spaces, keys sorted by their UTF-8 bytes as Go's encoder does, number text kept. */
export function canonicalText(tree: JsonTree): string {
  if (typeof tree === 'string') return JSON.stringify(tree);
  if (tree === null || typeof tree === 'boolean') return String(tree);
  if (Array.isArray(tree)) return `[${tree.map(canonicalText).join(',')}]`;
  if (tree instanceof Map) {
    let text = '';
    for (const key of [...tree.keys()].sort(compareKeys)) {
      text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalText(tree.get(key) ?? null)}`;
    }
    return `{${text}}`;
  }
  return tree.digits;
}

/**
 * The text that Go prints for a JSON or YAML 1.2 number literal: integers of 64 bits (signed or unsigned) as they are,
 * everything else as the nearest float64 in Go's `encoding/json` form, which is JavaScript's. undefined when it overflows.
 */
export function numberText(literal: string): string | undefined {
  if (/^-?\d+$/.test(literal)) {
    const integer = BigInt(literal);
    if (integer >= -(2n ** 63n) && integer < 2n ** 64n) return String(integer);
  }
  return floatText(Number(literal));
}

/** Text of a float64; undefined for what JSON cannot say. Negative zero is 0, as kubectl prints it. */
export function floatText(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined;
  return Object.is(value, -0) ? '0' : String(value);
}

/** Plain JSON data to a tree (for options that came as JSON). */
export function treeOf(value: unknown): JsonTree {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return { digits: floatText(value) ?? 'null' };
  if (Array.isArray(value)) return value.map(treeOf);
  return new Map(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, treeOf(inner)]),
  );
}

/** The value when it is a string. */
export function stringAt(tree: JsonTree | undefined, key: string): string | undefined {
  const value = tree instanceof Map ? tree.get(key) : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The items when the value is a list, else none. */
export function listAt(tree: JsonTree | undefined, key: string): JsonTree[] {
  const value = tree instanceof Map ? tree.get(key) : undefined;
  return Array.isArray(value) ? value : [];
}

function compareKeys(a: string, b: string): number {
  // UTF-16 order differs from byte order only where surrogates meet U+E000…U+FFFF.
  if (/[\ud800-\uffff]/.test(a) && /[\ud800-\uffff]/.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
