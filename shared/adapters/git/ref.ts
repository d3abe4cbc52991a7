/** A ref as the remote advertises it. */
export interface RemoteRef {
  /** `HEAD` or a full name. */
  name: string;
  oid: string;
  /** The commit behind an annotated tag. */
  peeled?: string;
  /** What a symbolic ref (HEAD) points to. */
  target?: string;
}

/** The commit that a ref leads to. */
export function commitOf(ref: RemoteRef): string {
  return ref.peeled ?? ref.oid;
}

/** 40 hex digits: SHA-1, the only object format that this service reads. */
export function isOid(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/**
 * Git's own rules for full ref names (git-check-ref-format) and a length of 1,024. What a server advertises beyond them
 * is ignored: names end up in status and logs (NT-29).
 */
export function isRefName(name: string): boolean {
  if (name === 'HEAD') return true;
  if (!name.startsWith('refs/') || name.length > 1024 || /[\p{Cc}\p{Cf}\s~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$/u.test(name))
    return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}

/** One line of a v2 `ls-refs` answer; undefined for what is malformed or may not be named. */
export function parseRefLine(line: string): RemoteRef | undefined {
  const [oid = '', name = '', ...attributes] = line.split(' ');
  if (!isOid(oid) || !isRefName(name)) return undefined;
  const ref: RemoteRef = { name, oid };
  for (const attribute of attributes) {
    const value = attribute.slice(attribute.indexOf(':') + 1);
    if (attribute.startsWith('peeled:') && isOid(value)) ref.peeled = value;
    if (attribute.startsWith('symref-target:') && isRefName(value)) ref.target = value;
  }
  return ref;
}

/** The refs of a v0/v1 advertisement: tags peel in lines of their own, `HEAD`'s target is a capability. */
export function parseAdvertisedRefs(lines: readonly string[], capabilities: readonly string[]): RemoteRef[] {
  const refs = new Map<string, RemoteRef>();
  for (const line of lines) {
    const oid = line.slice(0, 40);
    const name = line.slice(41);
    if (!isOid(oid)) continue;
    const tag = name.endsWith('^{}') ? refs.get(name.slice(0, -3)) : undefined;
    if (tag !== undefined) tag.peeled = oid;
    else if (isRefName(name)) refs.set(name, { name, oid });
  }
  for (const capability of capabilities) {
    const [, name = '', target = ''] = /^symref=([^:]+):(.+)$/.exec(capability) ?? [];
    const ref = refs.get(name);
    if (ref !== undefined && isRefName(target)) ref.target = target;
  }
  return [...refs.values()];
}
