/** Field names whose values never reach a log, whatever is around them (`webhookSecret`, `x-api-key`). */
const secretName = /token|passw(or)?d|secret|authorization|cookie|credential|private.?key|api.?key/i;
/** Names that only look so: they hold names, ids or counts. */
const harmlessName = /(name|namespace|id|version|count|length|path|file|ref)s?$/i;
const credentialUrl = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const maxDepth = 8;
const masked = '[redacted]';

/**
 * A copy of log fields that may be written: values of secret-sounding fields masked, user and password cut out of URLs,
 * errors as data, cycles and depths cut. Never throws.
 */
export function redact(fields: Record<string, unknown>): Record<string, unknown> {
  return copyObject(fields, []);
}

function copy(value: unknown, above: readonly object[]): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (above.includes(value) || above.length >= maxDepth) return '[…]';
  if (value instanceof Error) return copyError(value, above);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Map) return copyObject(Object.fromEntries(value), [...above, value]);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const inside = [...above, value];
  if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => copy(item, inside));
  return copyObject(value as Record<string, unknown>, inside);
}

function copyObject(value: Record<string, unknown>, above: readonly object[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(value)) result[name] = isSecret(name) ? masked : copy(readField(value, name), above);
  return result;
}

function isSecret(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}

function readField(value: Record<string, unknown>, name: string): unknown {
  try {
    return value[name];
  } catch {
    return '[unreadable]';
  }
}

function copyError(error: Error, above: readonly object[]): Record<string, unknown> {
  const { code, hint, retry, data } = error as { code?: unknown; hint?: unknown; retry?: unknown; data?: unknown };
  const known = {
    name: error.name,
    message: error.message,
    code,
    hint,
    retry,
    data,
    stack: error.stack,
    cause: error.cause,
  };
  const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
  return copyObject(given, [...above, error]);
}

/** Text without the user and password of any URL in it. */
export function redactText(text: string): string {
  return text.includes('@') ? text.replaceAll(credentialUrl, '$1***@') : text;
}
