import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Host keys that are trusted for one host, and those that are not to be trusted any more. */
export interface KnownKeys {
  trusted: { type: string; key: Buffer }[];
  revoked: Buffer[];
}

/** Lines of known_hosts that are read; what is longer is nobody's list of hosts. */
const maxLines = 5000;

/**
 * The keys of `host` at `port` in texts of OpenSSH's known_hosts format (man sshd, «SSH_KNOWN_HOSTS FILE FORMAT»): plain
 * and hashed names, `*` and `?`, `!` for exceptions, `[host]:port`, `@revoked`. Lines of `@cert-authority` and lines that
 * cannot be read are left out: they trust nothing.
 */
export function knownKeys(texts: readonly string[], host: string, port: number): KnownKeys {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const known: KnownKeys = { trusted: [], revoked: [] };
  for (const line of texts.flatMap((text) => text.split(/\r?\n/).slice(0, maxLines))) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [patterns, type, base64] = fields;
    if (patterns === undefined || type === undefined || base64 === undefined || patterns.startsWith('#')) continue;
    if (!matches(patterns, name)) continue;
    const key = Buffer.from(base64, 'base64');
    if (keyType(key) !== type) continue;
    if (marker === undefined) known.trusted.push({ type, key });
    if (marker === '@revoked') known.revoked.push(key);
  }
  return known;
}

/** True where the key is one of the host's, and not revoked. */
export function isTrusted(known: KnownKeys, key: Buffer): boolean {
  return !known.revoked.some((revoked) => revoked.equals(key)) && known.trusted.some((one) => one.key.equals(key));
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The type that a public key in SSH's wire format says it has (RFC 4253 §6.6); '' where it is none. */
export function keyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return length > 0 && length < 64 ? key.toString('latin1', 4, 4 + length) : '';
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith('|')) return matchesHash(patterns, name);
  let isMatch = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    const isException = pattern.startsWith('!');
    if (!matchesPattern(isException ? pattern.slice(1) : pattern, name)) continue;
    if (isException) return false;
    isMatch = true;
  }
  return isMatch;
}

/** Without regular expressions: a pattern must not be able to take long (LIM-14). */
function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let from = 0;
  let position = 0;
  while (position < name.length) {
    if (pattern[at] === '?' || (pattern[at] !== '*' && pattern[at] === name[position])) {
      at += 1;
      position += 1;
    } else if (pattern[at] === '*') {
      star = at;
      from = position;
      at += 1;
    } else if (star >= 0) {
      from += 1;
      position = from;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}

/** `|1|salt|HMAC-SHA1(salt, name)`. */
function matchesHash(pattern: string, name: string): boolean {
  const [, version, salt, hash] = pattern.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  const given = Buffer.from(hash, 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
