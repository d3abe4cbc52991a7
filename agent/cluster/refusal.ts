import type { KubeResponse } from './requests.ts';

/** Why the API server refused, in the words that decisions need. */
export type RefusalReason =
  | 'conflict'
  | 'immutable'
  | 'invalid'
  | 'forbidden'
  | 'namespace-missing'
  | 'namespace-terminating'
  | 'not-found'
  | 'kind-missing'
  | 'quota'
  | 'webhook'
  | 'other';

/** A refused request: its reason and the server's sentence. */
export interface Refused {
  ok: false;
  reason: RefusalReason;
  message: string;
  status: number;
}

interface Status {
  message?: string;
  reason?: string;
  details?: { kind?: string; name?: string; group?: string; causes?: { reason?: string; message?: string }[] };
}

/** Reads the API server's Status object. Sentences are the server's own, cut at 2 KiB. */
export function refusalOf(response: KubeResponse): Refused {
  const status = parseStatus(response.text);
  const message = (status.message ?? response.text).slice(0, 2048) || `status ${response.status}`;
  return { ok: false, reason: reasonOf(response.status, status, message), message, status: response.status };
}

function reasonOf(code: number, status: Status, message: string): RefusalReason {
  const causes = status.details?.causes ?? [];
  if (causes.some((cause) => cause.reason === 'NamespaceTerminating')) return 'namespace-terminating';
  if (code === 404) {
    if (status.details?.kind === 'namespaces' && /namespaces ".*" not found/.test(message)) return 'namespace-missing';
    return status.details?.name === undefined || status.details.name === '' ? 'kind-missing' : 'not-found';
  }
  // The same two patterns by which Flux knows an immutable field (flux.md §2.5).
  if (code === 422)
    return /\bis immutable|immutable field|updates to .* are forbidden|cannot be changed/i.test(message)
      ? 'immutable'
      : 'invalid';
  if (code === 409) return 'conflict';
  if (code === 403) return /exceeded quota/.test(message) ? 'quota' : 'forbidden';
  if (code === 400) return 'invalid';
  if (/failed calling webhook/.test(message) || /admission webhook/.test(message)) return 'webhook';
  return 'other';
}

function parseStatus(text: string): Status {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Status) : {};
  } catch {
    return {};
  }
}
