import type { SyncPolicy } from './application.ts';
import type { CommitInfo } from './status.ts';

/** Somebody asked for a sync: part of the root, because everything that an agent acts on is signed. */
export interface SyncRequest {
  id: string;
  by: string;
  at: string;
  prune?: boolean;
  force?: boolean;
  dryRun?: boolean;
  /** Only these objects, as `keyOf` keys; absent: all. */
  resources?: string[];
  /** Digest of a prune list that somebody confirmed (G-13), and when that confirmation ends. */
  confirmedPrunes?: { listDigest: string; until: string };
}

/**
 * What one application should be in one cluster at one generation. Immutable.
 * Chunks are newline-separated canonical JSON texts of objects; a chunk's digest is the SHA-256 of that text.
 */
export interface SnapshotRoot {
  format: 1;
  organisation: string;
  cluster: string;
  application: string;
  /** How people know it. */
  displayName: string;
  kind: 'Application' | 'Kustomization';
  generation: number;
  revision: string;
  commit?: CommitInfo;
  inputDigest: string;
  destinationNamespace: string;
  policy: SyncPolicy;
  /** Ordered. */
  chunks: string[];
  objectCount: number;
  /** Bytes of all chunks before compression. */
  totalBytes: number;
  flags: SnapshotFlag[];
  sync?: SyncRequest;
  /** Applications of this cluster that must have applied at least this generation and be healthy. */
  dependsOn: { application: string; generation: number }[];
  /** Value of the owner mark (label) that every object carries; see `tracking.ts`. */
  owner: string;
  /** A deletion order (G-10): delete what the inventory holds, then forget the application. Never implied by absence. */
  deletion?: { cascade: 'foreground' | 'background' | 'orphan'; by: string; at: string; until: string };
}

export type SnapshotFlag = 'non-deterministic' | 'uses-lookup';

/** A root as it travels: the exact signed text, so that verifying never depends on serialising again. */
export interface SignedRoot {
  /** JSON text of a SnapshotRoot. */
  root: string;
  /** Base64 Ed25519 signature over the text's UTF-8 bytes. */
  signature: string;
  certificate: SigningCertificate;
}

/** The organisation's root key says that a day key may sign until `notAfter`. */
export interface SigningCertificate {
  organisation: string;
  /** SPKI DER, base64. */
  publicKey: string;
  notBefore: string;
  notAfter: string;
  /** Base64 signature by the root key over `certificateText`. */
  signature: string;
}

/** The text that the root key signs. */
export function certificateText(certificate: Omit<SigningCertificate, 'signature'>): string {
  return [
    'hawser-signing-certificate-v1',
    certificate.organisation,
    certificate.publicKey,
    certificate.notBefore,
    certificate.notAfter,
  ].join('\n');
}
