const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** How long ago, as kubectl writes it: `45s`, `3m`, `3m20s` only below ten minutes, `5h`, `2d`, `400d`; `-` for no time. */
export function age(iso: string | undefined, now: number): string {
  const then = Date.parse(iso ?? '');
  if (Number.isNaN(then)) return '-';
  return span(Math.max(0, now - then));
}

/** A duration in the same words; milliseconds. */
export function span(milliseconds: number): string {
  if (milliseconds < 2 * minute) return `${Math.floor(milliseconds / second)}s`;
  if (milliseconds < 10 * minute) return two(milliseconds, minute, 'm', second, 's');
  if (milliseconds < 3 * hour) return `${Math.floor(milliseconds / minute)}m`;
  if (milliseconds < 8 * hour) return two(milliseconds, hour, 'h', minute, 'm');
  if (milliseconds < 2 * day) return `${Math.floor(milliseconds / hour)}h`;
  if (milliseconds < 8 * day) return two(milliseconds, day, 'd', hour, 'h');
  return `${Math.floor(milliseconds / day)}d`;
}

function two(milliseconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((milliseconds % large) / small);
  return `${Math.floor(milliseconds / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`;
}
