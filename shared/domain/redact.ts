import { isJsonObject, type JsonObject } from './json.ts';
import type { KubeObject, ObjectId } from './kube-object.ts';
import type { FieldDifference } from './status.ts';

/** What stands where a secret value was. Always the same: neither length nor equality of values shows (NT-96). */
export const mask = '••••••••';

/** On a pair of objects: the value differs between the two sides. */
export const changedMask = '•••••••• (changed)';

const maskText = JSON.stringify(mask);

/** Annotations that hold whole objects or tokens (NT-91). Masked on every kind: the object they hold may be a Secret. */
const sensitiveAnnotations = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'openshift.io/token-secret.value',
] as const;

/** True where an object's values must never be shown. Decided from the object itself, never from what somebody calls it (NT-92). */
export function isSecret(object: { apiVersion?: unknown; kind?: unknown }): boolean {
  const apiVersion = typeof object.apiVersion === 'string' ? object.apiVersion : '';
  const kind = typeof object.kind === 'string' ? object.kind.toLowerCase() : '';
  return (!apiVersion.includes('/') || apiVersion.startsWith('core/')) && (kind === 'secret' || kind === 'secretlist');
}

/** A copy of an object that may be shown: values of Secrets (also inside Lists) and sensitive annotations are masked. */
export function redactObject<T extends JsonObject>(object: T): T {
  return redact(object, isSecret(object)) as T;
}

/**
 * Both sides of an object, safe to be compared by people: masked as soon as either side is a Secret, and where a masked
 * value differs both sides say so.
 */
export function redactPair<D extends JsonObject | undefined, L extends JsonObject | undefined>(
  desired: D,
  live: L,
): { desired: D; live: L } {
  const secret = (desired !== undefined && isSecret(desired)) || (live !== undefined && isSecret(live));
  const left = desired === undefined ? undefined : redact(desired, secret);
  const right = live === undefined ? undefined : redact(live, secret);
  if (secret && desired !== undefined && live !== undefined) {
    const before = secretValues(desired);
    const after = secretValues(live);
    for (const name of before.keys()) {
      if (!after.has(name) || before.get(name) === after.get(name)) continue;
      for (const side of [left, right]) markChanged(side as JsonObject, name);
    }
  }
  return { desired: left as D, live: right as L };
}

/** Field differences that may be shown: on a Secret only that a value differs. */
export function redactDifferences(
  id: Pick<ObjectId, 'group' | 'kind'>,
  differences: FieldDifference[],
): FieldDifference[] {
  const secret = isSecret(groupKind(id));
  return differences.map((difference) => {
    const shown = sensitivityOf(difference.path, secret);
    if (shown === 'open') return difference;
    const safe = (text: string) => (shown === 'masked' ? maskText : safePart(text, difference.path, id));
    return {
      path: difference.path,
      ...(difference.desired === undefined ? {} : { desired: safe(difference.desired) }),
      ...(difference.live === undefined ? {} : { live: safe(difference.live) }),
    };
  });
}

/**
 * A text of somebody else (an API server, a webhook, a tool) that may be shown. With the object it is about: what the API
 * server quotes of a Secret goes, its reason and field paths stay (NT-90). In any case: credentials in URLs, bearer tokens,
 * JSON web tokens and private keys (NT-93).
 */
export function redactText(text: string, object?: KubeObject | Pick<ObjectId, 'group' | 'kind'>): string {
  let safe = text
    .replaceAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, mask)
    .replaceAll(/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"']{1,512}@/gi, `$1${mask}@`)
    .replaceAll(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${mask}`)
    .replaceAll(/\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g, mask)
    .replaceAll(
      /([?&](?:sig|signature|token|access_token|x-amz-signature|x-amz-credential|x-amz-security-token|password|secret|key)=)[^&\s"']+/gi,
      `$1${mask}`,
    );
  if (object === undefined || !isSecret('group' in object ? groupKind(object as ObjectId) : (object as KubeObject)))
    return safe;
  if ('metadata' in object) {
    for (const value of secretValues(object as JsonObject).values()) {
      for (const form of [value, decoded(value)]) if (form.length > 2) safe = safe.replaceAll(form, mask);
    }
  }
  // The values that an API server quotes follow these words; what else it quotes are names and paths.
  return safe
    .replaceAll(
      /((?:invalid|unsupported|duplicate) value:\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|\{[\s\S]*?\}|[^\s:,]+)/gi,
      `$1${mask}`,
    )
    .replaceAll(/(\bgot &?)value\.valueUnstructured\{.*/g, `$1${mask}`)
    .replaceAll(/(unmarshal\w*[^"'{[]{0,80})(["'{[])[\s\S]*?(["'}\]])(?=[\s:,.]|$)/gi, `$1${mask}`);
}

/** All that may be shown of a Secret as it is; lists are looked into. */
const openFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'type', 'immutable', 'items']);

function redact(object: JsonObject, secret: boolean): JsonObject {
  const result: JsonObject = { ...object };
  if (secret) {
    for (const [field, values] of Object.entries(object)) {
      if (openFields.has(field) || values === undefined || values === null) continue;
      // `data` and `stringData`, and what only looks like them: a value under a misspelt field is as secret.
      result[field] = isJsonObject(values) ? Object.fromEntries(Object.keys(values).map((name) => [name, mask])) : mask;
    }
  }
  const metadata = object['metadata'];
  if (isJsonObject(metadata)) result['metadata'] = redactMetadata(metadata, secret);
  const { items } = object;
  if (Array.isArray(items)) {
    result['items'] = items.map((item) => (isJsonObject(item) ? redact(item, secret || isSecret(item)) : item));
  }
  return result;
}

function redactMetadata(metadata: JsonObject, secret: boolean): JsonObject {
  const { annotations } = metadata;
  const result = { ...metadata };
  // Field names of a Secret's managers are harmless, and of no use to a reader.
  if (secret) delete result['managedFields'];
  if (!isJsonObject(annotations)) return result;
  const masked = sensitiveAnnotations.filter((name) => annotations[name] !== undefined);
  if (masked.length === 0) return result;
  return { ...result, annotations: { ...annotations, ...Object.fromEntries(masked.map((name) => [name, mask])) } };
}

const annotationsPath = '/metadata/annotations';

/** `part`: the value holds sensitive members among others. */
function sensitivityOf(path: string, secret: boolean): 'open' | 'part' | 'masked' {
  if (path === '' || path === '/metadata' || path === annotationsPath) return 'part';
  if (secret && !/^\/(?:metadata\/|type$|immutable$)/.test(path)) return 'masked';
  if (!path.startsWith(`${annotationsPath}/`)) return 'open';
  const name = path
    .slice(annotationsPath.length + 1)
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
  return sensitiveAnnotations.some((sensitive) => sensitive === name) ? 'masked' : 'open';
}

/** The value of a whole object, its metadata or its annotations; what cannot be read any more (it was cut) is masked. */
function safePart(text: string, path: string, id: Pick<ObjectId, 'group' | 'kind'>): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return maskText;
  }
  // The empty path also carries sentences: why an object could not be applied.
  if (typeof value === 'string' && path === '') return JSON.stringify(redactText(value, id));
  if (!isJsonObject(value)) return maskText;
  if (path === '') return JSON.stringify(redact(value, isSecret(groupKind(id)) || isSecret(value)));
  if (path === '/metadata') return JSON.stringify(redactMetadata(value, false));
  return JSON.stringify(redactMetadata({ annotations: value }, false)['annotations']);
}

/** Secret values as they end up in the cluster: `stringData` wins over `data` and counts as base64. */
function secretValues(object: JsonObject): Map<string, string> {
  const values = new Map<string, string>();
  if (isJsonObject(object['data'])) {
    for (const [name, value] of Object.entries(object['data'])) {
      values.set(name, typeof value === 'string' ? value.replaceAll(/\s/g, '') : JSON.stringify(value));
    }
  }
  if (isJsonObject(object['stringData'])) {
    for (const [name, value] of Object.entries(object['stringData'])) {
      values.set(name, typeof value === 'string' ? Buffer.from(value).toString('base64') : JSON.stringify(value));
    }
  }
  return values;
}

function markChanged(side: JsonObject, name: string): void {
  for (const field of ['data', 'stringData']) {
    const values = side[field];
    if (isJsonObject(values) && Object.hasOwn(values, name)) values[name] = changedMask;
  }
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

function groupKind(id: Pick<ObjectId, 'group' | 'kind'>): { apiVersion: string; kind: string } {
  return { apiVersion: id.group === '' ? 'v1' : `${id.group}/v1`, kind: id.kind };
}
