import { floatText, type JsonNumber } from './json-tree.ts';

/** Stands for «only the real tool shall say». */
export const unproven: unique symbol = Symbol('unproven');

export type PlainScalar = null | boolean | string | JsonNumber | typeof unproven;

const words = new Map<string, null | boolean>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
]);

const specialFloat = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const goFloat = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const goInteger = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;

/**
 * Resolves an untagged plain scalar as go-yaml v2 does inside kubectl (YAML 1.1): words, `0777`, `0o7`, `0b1`, `0x1f`,
 * underscores, floats in its own grammar, timestamps as strings.
 */
export function resolvePlain(source: string): PlainScalar {
  const word = words.get(source);
  if (word !== undefined) return word;
  const first = source.charCodeAt(0);
  const isDigit = first >= 48 && first <= 57;
  if (!isDigit && first !== 43 && first !== 45 && first !== 46) return source === '<<' ? unproven : source;
  if (specialFloat.test(source)) return unproven;
  if (first === 46 && source.includes('_')) return unproven;
  if (first === 46) return goFloat.test(source) ? numberOr(source, floatText(Number(source))) : source;
  const plain = source.replaceAll('_', '');
  if (plain.length > 400 && (goFloat.test(plain) || goInteger.test(plain))) return unproven;
  return resolveNumber(source, plain);
}

/** The text of a mapping key, or undefined where kubectl's own answer is needed (null, float and large unsigned keys). */
export function plainKey(source: string): string | undefined {
  const value = resolvePlain(source);
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (value === null || value === unproven) return undefined;
  const integer = goInteger.exec(source.replaceAll('_', ''));
  const digits = integer === null ? undefined : integerText(integer);
  return digits !== undefined && BigInt(digits) < 2n ** 63n ? digits : undefined;
}

/** True for plain scalars that go-yaml v2 and v3 may understand differently, or print differently when they copy them. */
export function isReadDifferently(source: string): boolean {
  const value = resolvePlain(source);
  if (value === null) return false;
  if (typeof value === 'boolean') return !/^(?:true|false)$/i.test(source);
  if (typeof value === 'string') return /^\d{4}-|^=$/.test(source) || isWrittenDifferently(source);
  return !/^(?:0|-?[1-9]\d{0,14})(?:\.\d{1,9})?$/.test(source);
}

/** True for texts whose way through kustomize's readers and writers is not proved to keep them; it takes `"<<"` for a merge. */
export function isWrittenDifferently(text: string): boolean {
  if (text === '<<') return true;
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(text)) return true;
  return text.includes('\n') && (/^\s/.test(text) || /[ \t]\n/.test(text));
}

function resolveNumber(source: string, plain: string): PlainScalar {
  const integer = goInteger.exec(plain);
  if (integer !== null) {
    const digits = integerText(integer);
    if (digits !== undefined) return { digits };
  }
  if (goFloat.test(plain)) return numberOr(source, floatText(Number(plain)));
  return /^-?0b[-+]/.test(plain) ? unproven : source;
}

/** Decimal text when the literal fits 64 bits as `strconv.ParseInt` or, unsigned, `ParseUint` with base 0 take it. */
function integerText([, sign = '', hex, binary, octal, decimal]: RegExpExecArray): string | undefined {
  const magnitude =
    hex !== undefined
      ? BigInt(`0x${hex}`)
      : binary !== undefined
        ? BigInt(`0b${binary}`)
        : octal !== undefined
          ? BigInt(`0o${octal}`)
          : BigInt(decimal ?? '0');
  const value = sign === '-' ? -magnitude : magnitude;
  const isSigned = value >= -(2n ** 63n) && value < 2n ** 63n;
  const isUnsigned = sign === '' && value < 2n ** 64n;
  return isSigned || isUnsigned ? String(value) : undefined;
}

function numberOr(source: string, digits: string | undefined): JsonNumber | string {
  return digits === undefined ? source : { digits };
}
