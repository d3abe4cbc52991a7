import { HawserError } from '../errors.ts';
import { sha256 } from './digest.ts';

/** What an id looks like. */
export const idPattern = /^[a-z0-9-]{1,63}$/;

/** True when `value` may be used as an id (organisation, project, cluster, repository, application). */
export function isId(value: string): boolean {
  return idPattern.test(value);
}

/** Returns `value` when it is an id, else throws `invalid-input` naming what it is the id of. */
export function requireId(value: string, what: string): string {
  if (isId(value)) return value;
  throw new HawserError('invalid-input', `${what} ${JSON.stringify(value.slice(0, 80))} is not an id`, {
    hint: 'Use 1 to 63 characters of a-z, 0-9 and -.',
  });
}

/** Makes an id out of any text: lower-cased, other characters become `-`; what is too long or changed beyond case gets a short hash. */
export function toId(text: string): string {
  const slug = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  if (slug.length > 0 && slug.length <= 63 && (slug === text || slug === text.toLowerCase())) return slug;
  return `${slug.slice(0, 52) || 'x'}-${sha256(text).slice(0, 10)}`;
}
