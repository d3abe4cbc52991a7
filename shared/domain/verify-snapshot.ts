import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { HawserError } from '../errors.ts';
import { sha256 } from './digest.ts';
import { isId } from './ids.ts';
import { isJsonObject } from './json.ts';
import { certificateText, type SignedRoot, type SigningCertificate, type SnapshotRoot } from './snapshot.ts';
import { describeShape, shapeProblem } from './snapshot-shape.ts';

/** What the agent knows for itself and holds every root against. */
export interface Expected {
  organisation: string;
  cluster: string;
  /** The application that the root was handed out for. */
  application?: string;
  /** The organisation's root key as pinned at registration: SPKI DER, base64. */
  rootPublicKey: string;
  /** Newest generation that was ever accepted for this application; 0 for none. Equal is allowed, less is not (INV-13, INV-15). */
  appliedGeneration: number;
  /** Milliseconds since 1970. */
  now: number;
  /** This very text was verified before and kept: the certificate's dates bound only what is signed newly (design.md §4). */
  kept?: boolean;
}

/** Why a root or chunk was refused; `data.reason` of the error. */
export type SnapshotProblem =
  | 'malformed'
  | 'certificate-organisation'
  | 'certificate-signature'
  | 'certificate-time'
  | 'signature'
  | 'format'
  | 'organisation'
  | 'cluster'
  | 'application'
  | 'generation'
  | 'chunk'
  | 'counts';

/** Clocks of two machines may differ by this much. */
const skewMs = 5 * 60_000;
const largestRootBytes = 4 * 1024 * 1024;

/**
 * The root inside a signed text, once everything about it holds: certificate, signature, shape, organisation, cluster,
 * application and generation (INV-12, INV-15, INV-16, NT-154). Throws `snapshot-invalid` with `data.reason`; the agent then
 * keeps what it has.
 */
export function verifyRoot(signed: SignedRoot, expected: Expected): SnapshotRoot {
  const envelope = readEnvelope(signed);
  const dayKey = certifiedKey(envelope.certificate, expected);
  if (!isSigned(envelope.root, envelope.signature, dayKey)) {
    throw refusal('signature', 'the signature does not match the root');
  }
  const root = parseRoot(envelope.root);
  verifyBinding(root, expected);
  return root;
}

/** Checks one chunk's bytes against a verified root. Throws `snapshot-invalid`. */
export function verifyChunk(root: SnapshotRoot, digest: string, bytes: Uint8Array): void {
  if (!root.chunks.includes(digest)) {
    throw refusal(
      'chunk',
      `chunk ${short(digest)} does not belong to generation ${root.generation} of ${root.application}`,
    );
  }
  const actual = sha256(bytes);
  if (actual !== digest) throw refusal('chunk', `chunk ${short(digest)} holds other bytes (${short(actual)})`);
}

/**
 * The object texts of a whole snapshot, in order: every chunk is there and holds what its digest says, bytes and objects
 * count as many as the root says (G-01). Throws `snapshot-invalid`.
 */
export function verifyContents(root: SnapshotRoot, chunks: ReadonlyMap<string, Uint8Array>): string[] {
  const texts: string[] = [];
  let bytes = 0;
  for (const digest of root.chunks) {
    const chunk = chunks.get(digest);
    if (chunk === undefined) throw refusal('chunk', `chunk ${short(digest)} of ${root.application} is missing`);
    verifyChunk(root, digest, chunk);
    bytes += chunk.length;
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('utf8');
    if (text !== '') texts.push(...text.split('\n'));
  }
  if (bytes !== root.totalBytes)
    throw refusal('counts', `the chunks hold ${bytes} bytes, the root says ${root.totalBytes}`);
  if (texts.length !== root.objectCount) {
    throw refusal('counts', `the chunks hold ${texts.length} objects, the root says ${root.objectCount}`);
  }
  return texts;
}

function readEnvelope(signed: unknown): SignedRoot {
  if (!isJsonObject(signed)) throw refusal('malformed', 'the root is not an object');
  const { root, signature, certificate } = signed;
  if (typeof root !== 'string' || typeof signature !== 'string' || !isJsonObject(certificate)) {
    throw refusal('malformed', 'root, signature or certificate is missing');
  }
  if (root.length > largestRootBytes) throw refusal('malformed', `the root has ${root.length} characters`);
  for (const field of ['organisation', 'publicKey', 'notBefore', 'notAfter', 'signature']) {
    if (typeof certificate[field] !== 'string') throw refusal('malformed', `the certificate has no ${field}`);
  }
  return { root, signature, certificate: certificate as unknown as SigningCertificate };
}

/** The key that a certificate lets sign for this organisation, now or for what was kept. */
function certifiedKey(certificate: SigningCertificate, expected: Expected): KeyObject {
  if (certificate.organisation !== expected.organisation) {
    throw refusal('certificate-organisation', `the certificate is for organisation ${show(certificate.organisation)}`);
  }
  // Line breaks inside a field would let one certified text be read as another.
  const fields = [certificate.organisation, certificate.publicKey, certificate.notBefore, certificate.notAfter];
  if (fields.some((field) => field.includes('\n'))) throw refusal('malformed', 'the certificate holds line breaks');
  const key = keyOfCertificate(certificate, expected.rootPublicKey);
  const from = Date.parse(certificate.notBefore);
  const until = Date.parse(certificate.notAfter);
  if (!(from < until)) throw refusal('malformed', 'the dates of the certificate make no sense');
  if (expected.kept !== true && (expected.now < from - skewMs || expected.now > until + skewMs)) {
    throw refusal('certificate-time', `the certificate holds from ${certificate.notBefore} to ${certificate.notAfter}`);
  }
  return key;
}

/** A day's roots share one certificate: its signature is checked once. Holds only what was found good. */
const certified = new Map<string, KeyObject>();
const certifiedMost = 32;

function keyOfCertificate(certificate: SigningCertificate, rootPublicKey: string): KeyObject {
  const text = certificateText(certificate);
  const entry = `${rootPublicKey}\n${certificate.signature}\n${text}`;
  const known = certified.get(entry);
  if (known !== undefined) return known;
  const rootKey = readKey(rootPublicKey);
  if (rootKey === undefined) {
    throw new HawserError('internal', 'The pinned root key of the organisation is not an Ed25519 public key', {
      hint: 'Register the agent again.',
    });
  }
  if (!isSigned(text, certificate.signature, rootKey)) {
    throw refusal('certificate-signature', 'the certificate is not signed by the root key of the organisation');
  }
  const key = readKey(certificate.publicKey);
  if (key === undefined) throw refusal('certificate-signature', 'the certificate holds no Ed25519 key');
  if (certified.size >= certifiedMost) certified.clear();
  certified.set(entry, key);
  return key;
}

function parseRoot(text: string): SnapshotRoot {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refusal('malformed', 'the root is not JSON');
  }
  if (!isJsonObject(parsed)) throw refusal('malformed', 'the root is not an object');
  if (parsed['format'] !== 1)
    throw refusal('format', `the root has format ${show(parsed['format'])}, this agent reads 1`);
  const problem = shapeProblem(parsed);
  if (problem !== undefined) throw refusal('malformed', describeShape(problem));
  return parsed as unknown as SnapshotRoot;
}

function verifyBinding(root: SnapshotRoot, expected: Expected): void {
  if (root.organisation !== expected.organisation) {
    throw refusal('organisation', `the root is for organisation ${show(root.organisation)}`);
  }
  if (root.cluster !== expected.cluster) throw refusal('cluster', `the root is for cluster ${show(root.cluster)}`);
  if (!isId(root.application)) throw refusal('malformed', 'the application is not an id');
  if (expected.application !== undefined && root.application !== expected.application) {
    throw refusal('application', `the root is for application ${show(root.application)}`);
  }
  if (root.generation < expected.appliedGeneration) {
    throw refusal('generation', `generation ${root.generation} is older than ${expected.appliedGeneration}`);
  }
}

function isSigned(text: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64');
  if (bytes.length !== 64) return false;
  try {
    return verify(null, Buffer.from(text), key, bytes);
  } catch {
    return false;
  }
}

function readKey(base64: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function refusal(reason: SnapshotProblem, what: string): HawserError {
  return new HawserError('snapshot-invalid', `Snapshot refused: ${what}`, {
    data: { reason },
    hint: 'The agent keeps the last good snapshot; look at who can write to the snapshot store.',
  });
}

function short(digest: string): string {
  return digest.slice(0, 12);
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? 'undefined';
}
