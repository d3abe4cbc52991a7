/**
 * A duration such as `1h30m` as the sum of its parts, counted in what `units` says of each (`{ s: 1000, m: 60_000 }` for
 * milliseconds). Undefined for a text that is anything else, and for units that are not named.
 */
export function durationIn(units: Readonly<Record<string, number>>, text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined;
  const counted = parts.map(([, number, unit = '']) => Number(number) * (units[unit] ?? Number.NaN));
  const sum = counted.reduce((total, part) => total + part, 0);
  return Number.isNaN(sum) ? undefined : sum;
}
