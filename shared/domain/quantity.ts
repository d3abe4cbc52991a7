/** Powers of the suffixes of Kubernetes quantities: of 10 for decimal ones, of 2 for binary ones. */
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binary: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

const quantityPattern =
  /^([+-]?)(\d{1,40})(?:\.(\d{0,40}))?(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?\d{1,3}))?$/;

/** True where both are the same amount, however written (`1000m` and `1`, `1Gi` and `1024Mi`). Exact; false where either is no quantity. */
export function sameQuantity(a: string | number, b: string | number): boolean {
  if (a === b) return true;
  const left = parseQuantity(String(a));
  const right = parseQuantity(String(b));
  if (left === undefined || right === undefined) return false;
  const exponent = Math.min(left.exponent, right.exponent);
  return scaled(left, exponent) === scaled(right, exponent);
}

/** A quantity as `digits` × 10^`exponent`, exactly; undefined for a text that is none. */
export function parseQuantity(text: string): { digits: bigint; exponent: number } | undefined {
  const match = quantityPattern.exec(text.startsWith('.') ? `0${text}` : text);
  if (match === null) return undefined;
  const [, sign, whole = '0', fraction = '', suffix = '', scientific] = match;
  let digits = BigInt(`${whole}${fraction}`);
  if (sign === '-') digits = -digits;
  const power = binary[suffix];
  const exponent = scientific === undefined ? (decimal[suffix] ?? 0) : Number(scientific);
  if (power !== undefined) digits <<= BigInt(power);
  // The API server rounds up what is finer than nano; nobody writes that.
  return { digits, exponent: exponent - fraction.length };
}

function scaled({ digits, exponent }: { digits: bigint; exponent: number }, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}
