import { HawserError } from '../errors.ts';

/** Reviver sources and JSON.rawJSON (ES2025), which TypeScript's libraries do not describe yet. */
interface SourceJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { rawJSON: string };
}

const sourceJson = JSON as unknown as SourceJson;

/** A number that may not survive as a JavaScript number: many digits, a fraction or an exponent. */
const fragileNumber = /(?:^|[[:,])\s*-?(?:\d{16}|\d+[.eE])/;

/**
 * Parses JSON so that every number keeps its text: what JavaScript cannot hold exactly becomes a raw number.
 * Throws a SyntaxError for what is not JSON.
 */
export function parseLossless(text: string): unknown {
  // The reviver makes parsing five times slower; few objects need it.
  if (!fragileNumber.test(text)) return JSON.parse(text);
  return sourceJson.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? sourceJson.rawJSON(source) : value,
  );
}

/** True for a number that `parseLossless` kept as text. */
export function isRawNumber(value: unknown): value is { rawJSON: string } {
  return sourceJson.isRawJSON(value);
}

/** Canonical JSON text: object keys sorted by code unit, raw numbers as they were. Throws `object-invalid` where it nests too deeply. */
export function losslessText(value: unknown): string {
  try {
    return textOf(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HawserError('object-invalid', 'The object nests too deeply to be written as JSON', { cause: error });
  }
}

function textOf(value: unknown): string {
  if (value === null || typeof value !== 'object' || isRawNumber(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'null' : textOf(item))).join(',')}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${textOf(member)}`);
  }
  return `{${members.join(',')}}`;
}
