import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '#shared/domain/application.ts';
import { sha256 } from '#shared/domain/digest.ts';
import {
  certificateText,
  type SignedRoot,
  type SigningCertificate,
  type SnapshotRoot,
} from '#shared/domain/snapshot.ts';
import { ownerMark } from '#shared/domain/tracking.ts';
import {
  type Expected,
  type SnapshotProblem,
  verifyChunk,
  verifyContents,
  verifyRoot,
} from '#shared/domain/verify-snapshot.ts';
import { HawserError } from '#shared/errors.ts';

const now = Date.UTC(2026, 5, 1, 12);
const day = 86_400_000;
const publicText = (key: KeyObject) => key.export({ type: 'spki', format: 'der' }).toString('base64');
const [rootKey, dayKey, otherKey] = Array.from({ length: 3 }, () => generateKeyPairSync('ed25519')) as [
  Pair,
  Pair,
  Pair,
];
interface Pair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

const texts = ['{"kind":"ConfigMap","n":1}', '{"kind":"ConfigMap","n":2}', '{"kind":"Secret","n":3}'];
const chunkTexts = [`${texts[0]}\n${texts[1]}`, texts[2] as string];
const chunks = chunkTexts.map((text) => sha256(text));

function rootOf(more: Partial<Record<keyof SnapshotRoot, unknown>> = {}): SnapshotRoot {
  return {
    format: 1,
    organisation: 'acme',
    cluster: 'one',
    application: 'shop',
    displayName: 'shop',
    kind: 'Application',
    generation: 7,
    revision: 'abc',
    inputDigest: sha256('input'),
    destinationNamespace: 'shop',
    policy: defaultPolicy,
    chunks,
    objectCount: 3,
    totalBytes: chunkTexts.join('').length,
    flags: [],
    dependsOn: [],
    owner: ownerMark('shop'),
    ...more,
  } as SnapshotRoot;
}

function certify(more: Partial<SigningCertificate> = {}, by = rootKey): SigningCertificate {
  const claims = {
    organisation: 'acme',
    publicKey: publicText(dayKey.publicKey),
    notBefore: new Date(now - day / 2).toISOString(),
    notAfter: new Date(now + day / 2).toISOString(),
    ...more,
  };
  const signature = sign(null, Buffer.from(certificateText(claims)), by.privateKey).toString('base64');
  return { ...claims, signature, ...(more.signature === undefined ? {} : { signature: more.signature }) };
}

function signText(root: string, by = dayKey, certificate = certify()): SignedRoot {
  return { root, signature: sign(null, Buffer.from(root), by.privateKey).toString('base64'), certificate };
}

const signed = (more: Partial<Record<keyof SnapshotRoot, unknown>> = {}) => signText(JSON.stringify(rootOf(more)));
const good = signed();
const expected: Expected = {
  organisation: 'acme',
  cluster: 'one',
  application: 'shop',
  rootPublicKey: publicText(rootKey.publicKey),
  appliedGeneration: 7,
  now,
};

function problemOf(work: () => unknown): SnapshotProblem | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof HawserError)) throw error;
    expect(error.code).toBe('snapshot-invalid');
    expect(error.retry).toBe('never');
    return error.data['reason'] as SnapshotProblem;
  }
}

describe('a root that is signed for this cluster', () => {
  it('is accepted, also a newer one and the same one again (INV-15)', () => {
    expect(verifyRoot(good, expected)).toEqual(rootOf());
    expect(verifyRoot(good, { ...expected, appliedGeneration: 0 }).generation).toBe(7);
    expect(verifyRoot(signed({ generation: 8 }), expected).generation).toBe(8);
  });

  it('is accepted with fields that a newer service adds (INV-45), with a request and with an order', () => {
    const at = new Date(now).toISOString();
    const more = {
      novelty: 1,
      sync: { id: 'x', by: 'ada', at },
      deletion: { cascade: 'background', by: 'ada', at, until: at },
    };
    expect(verifyRoot(signText(JSON.stringify({ ...rootOf(), ...more })), expected)).toMatchObject(more);
  });

  it('is accepted with nothing in it', () => {
    expect(
      verifyContents(verifyRoot(signed({ chunks: [], objectCount: 0, totalBytes: 0 }), expected), new Map()),
    ).toEqual([]);
  });

  it('stays acceptable after its certificate has ended, once it was verified and kept (design.md §4)', () => {
    const later = { ...expected, now: now + 30 * day };
    expect(problemOf(() => verifyRoot(good, later))).toBe('certificate-time');
    expect(verifyRoot(good, { ...later, kept: true }).generation).toBe(7);
  });

  it('allows for clocks that differ by five minutes', () => {
    expect(problemOf(() => verifyRoot(good, { ...expected, now: now + day / 2 + 299_000 }))).toBeUndefined();
    expect(problemOf(() => verifyRoot(good, { ...expected, now: now + day / 2 + 301_000 }))).toBe('certificate-time');
    expect(problemOf(() => verifyRoot(good, { ...expected, now: now - day / 2 - 301_000 }))).toBe('certificate-time');
  });
});

/** A flipped bit in the middle of a base64 text. */
function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  return bytes.toString('base64');
}

const wide = (key: Pair) => publicText(key.publicKey);
const refused: [what: string, problem: SnapshotProblem, signed: unknown, expected?: Partial<Expected>][] = [
  // Forged or damaged
  ['unsigned', 'signature', { ...good, signature: '' }],
  ['with a damaged signature', 'signature', { ...good, signature: flipped(good.signature) }],
  ['with a signature that is cut off', 'signature', { ...good, signature: good.signature.slice(0, 40) }],
  ['with a signature of another root', 'signature', { ...good, signature: signed({ generation: 8 }).signature }],
  [
    'whose text was changed after signing',
    'signature',
    { ...good, root: good.root.replace('"generation":7', '"generation":8') },
  ],
  ['whose text has one space more', 'signature', { ...good, root: `${good.root} ` }],
  ['signed by a key that nobody certified', 'signature', signText(JSON.stringify(rootOf()), otherKey)],
  [
    'signed by the root key itself under the certificate of the day key',
    'signature',
    signText(JSON.stringify(rootOf()), rootKey),
  ],
  [
    'whose certificate names another key',
    'certificate-signature',
    { ...signText(JSON.stringify(rootOf()), otherKey), certificate: { ...certify(), publicKey: wide(otherKey) } },
  ],
  [
    'whose certificate was signed by somebody else',
    'certificate-signature',
    { ...good, certificate: certify({}, otherKey) },
  ],
  [
    'whose certificate certifies itself',
    'certificate-signature',
    signText(JSON.stringify(rootOf()), otherKey, certify({ publicKey: wide(otherKey) }, otherKey)),
  ],
  [
    'whose certificate has a damaged signature',
    'certificate-signature',
    { ...good, certificate: { ...certify(), signature: flipped(certify().signature) } },
  ],
  [
    'whose certificate was made to last longer',
    'certificate-signature',
    { ...good, certificate: { ...certify(), notAfter: new Date(now + 365 * day).toISOString() } },
  ],
  [
    'whose certificate is for another organisation',
    'certificate-organisation',
    signText(JSON.stringify(rootOf()), dayKey, certify({ organisation: 'evil' })),
  ],
  [
    'whose certificate has expired',
    'certificate-time',
    signText(
      JSON.stringify(rootOf()),
      dayKey,
      certify({ notBefore: new Date(now - 3 * day).toISOString(), notAfter: new Date(now - 2 * day).toISOString() }),
    ),
  ],
  [
    'whose certificate is of the future',
    'certificate-time',
    signText(
      JSON.stringify(rootOf()),
      dayKey,
      certify({ notBefore: new Date(now + day).toISOString(), notAfter: new Date(now + 2 * day).toISOString() }),
    ),
  ],
  [
    'whose certificate has no dates',
    'malformed',
    signText(JSON.stringify(rootOf()), dayKey, certify({ notBefore: 'x', notAfter: 'y' })),
  ],
  [
    'whose certificate ends before it begins',
    'malformed',
    signText(
      JSON.stringify(rootOf()),
      dayKey,
      certify({ notBefore: new Date(now + 9).toISOString(), notAfter: new Date(now).toISOString() }),
    ),
  ],
  [
    'whose certificate hides a line break',
    'malformed',
    signText(JSON.stringify(rootOf()), dayKey, certify({ notAfter: `${new Date(now + day).toISOString()}\n` })),
  ],
  [
    'whose certificate holds a key of another kind',
    'certificate-signature',
    signText(
      JSON.stringify(rootOf()),
      dayKey,
      certify({
        publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' })
          .publicKey.export({ type: 'spki', format: 'der' })
          .toString('base64'),
      }),
    ),
  ],
  [
    'whose certificate holds no key',
    'certificate-signature',
    signText(JSON.stringify(rootOf()), dayKey, certify({ publicKey: 'AAAA' })),
  ],
  // Somebody else's
  ['for another organisation', 'organisation', signed({ organisation: 'evil' })],
  ['for another cluster', 'cluster', signed({ cluster: 'two' })],
  [
    'for another application (cross-application splice)',
    'application',
    signed({ application: 'other', owner: ownerMark('other') }),
  ],
  // Old
  ['of an older generation', 'generation', signed({ generation: 6 })],
  ['of an older generation that was kept', 'generation', signed({ generation: 6 }), { kept: true }],
  // Another format
  ['of a future format', 'format', signed({ format: 2 })],
  ['without a format', 'format', signed({ format: undefined })],
  // Counts that contradict each other
  ['with objects and no chunks (truncated)', 'malformed', signed({ chunks: [] })],
  ['with more chunks than objects', 'malformed', signed({ objectCount: 1 })],
  ['with the same chunk twice', 'malformed', signed({ chunks: [chunks[0], chunks[0]] })],
  ['with fewer bytes than its objects need', 'malformed', signed({ totalBytes: 5 })],
  ['with a negative count', 'malformed', signed({ objectCount: -1 })],
  ['with half an object', 'malformed', signed({ objectCount: 2.5 })],
  ['with a million objects and one more', 'malformed', signed({ objectCount: 1_000_001, totalBytes: 9_000_000 })],
  // Fields of a wrong shape
  ['with generation 0', 'malformed', signed({ generation: 0 })],
  ['with a generation as text', 'malformed', signed({ generation: '9' })],
  ['with a generation beyond safe numbers', 'malformed', signed({ generation: 2 ** 53 })],
  ['with a digest that is none', 'malformed', signed({ chunks: ['../../etc/passwd', chunks[1]] })],
  ['with digests in capitals', 'malformed', signed({ chunks: chunks.map((digest) => digest.toUpperCase()) })],
  ['with an application that is no id', 'malformed', signed({ application: '../x' })],
  ['without a policy', 'malformed', signed({ policy: undefined })],
  ['with a policy that lacks a member', 'malformed', signed({ policy: { ...defaultPolicy, prune: undefined } })],
  ['with a policy whose prune is a text', 'malformed', signed({ policy: { ...defaultPolicy, prune: 'false' } })],
  ['with an unknown kind', 'malformed', signed({ kind: 'Thing' })],
  ['with the owner mark of another application', 'malformed', signed({ owner: ownerMark('other') })],
  [
    'with an order without an end',
    'malformed',
    signed({ deletion: { cascade: 'foreground', by: 'x', at: new Date(now).toISOString() } }),
  ],
  ['with an order that is true', 'malformed', signed({ deletion: true })],
  ['with a request without an id', 'malformed', signed({ sync: { by: 'x', at: new Date(now).toISOString() } })],
  ['with dependencies of a wrong shape', 'malformed', signed({ dependsOn: ['other'] })],
  // Not a root at all
  ['that is HTML', 'malformed', signText('<html>maintenance</html>')],
  ['that is empty', 'malformed', signText('')],
  ['that is an empty list', 'malformed', signText('[]')],
  ['that is an empty object', 'format', signText('{}')],
  ['that is null', 'malformed', signText('null')],
  ['that is cut off', 'malformed', signText(good.root.slice(0, -20))],
  ['that is no object', 'malformed', null],
  ['that is a text', 'malformed', 'root'],
  ['without a certificate', 'malformed', { root: good.root, signature: good.signature }],
  [
    'with a certificate without a signature',
    'malformed',
    { ...good, certificate: { ...certify(), signature: undefined } },
  ],
  ['whose text is an object', 'malformed', { ...good, root: rootOf() }],
  ['that is larger than any root', 'malformed', { ...good, root: ' '.repeat(4 * 1024 * 1024 + 1) }],
];

describe('a root is refused', () => {
  it.each(refused)('%s: %s (NT-154, FT-80)', (_what, problem, bad, more = {}) => {
    expect(problemOf(() => verifyRoot(bad as SignedRoot, { ...expected, ...more }))).toBe(problem);
  });

  it('in more than forty ways, without saying what is in it', () => {
    expect(refused.length).toBeGreaterThan(40);
    try {
      verifyRoot(signText('{"secret":"sw0rdfish"'), expected);
    } catch (error) {
      expect(String(error)).not.toContain('sw0rdfish');
    }
  });

  it('whichever single bit of its text or signature is changed', () => {
    const text = Buffer.from(good.root);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const changed = Buffer.from(text);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(problemOf(() => verifyRoot({ ...good, root: changed.toString('utf8') }, expected))).toBe('signature');
      }),
      { numRuns: 200 },
    );
  });

  it('whatever JSON is signed in its place, without an exception of another kind', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(problemOf(() => verifyRoot(signText(text), expected))).toBeDefined();
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(rootOf()) as (keyof SnapshotRoot)[])),
        fc.jsonValue(),
        (field, value) => {
          const problem = problemOf(() => verifyRoot(signed({ [field]: value }), expected));
          if (problem === undefined)
            expect([
              'displayName',
              'revision',
              'inputDigest',
              'destinationNamespace',
              'flags',
              'totalBytes',
              'dependsOn',
              'generation',
              'kind',
              'objectCount',
            ]).toContain(field);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('with a pinned key that is none, as an error of this agent', () => {
    expect(() => verifyRoot(good, { ...expected, rootPublicKey: 'x' })).toThrow(
      expect.objectContaining({ code: 'internal' }),
    );
  });
});

describe('chunks', () => {
  const root = rootOf();
  const all = new Map(chunks.map((digest, index) => [digest, Buffer.from(chunkTexts[index] as string)]));
  const contents = (changed: Map<string, Uint8Array>, of = root) => problemOf(() => verifyContents(of, changed));

  it('give all texts in order', () => {
    expect(verifyContents(root, all)).toEqual(texts);
    expect(verifyContents(root, new Map([...all].toReversed()))).toEqual(texts);
  });

  it('are refused when one is missing, swapped, changed, cut off or does not belong', () => {
    const [first = '', second = ''] = chunks;
    expect(contents(new Map([[first, all.get(first) as Buffer]]))).toBe('chunk');
    expect(
      contents(
        new Map([
          [first, all.get(second) as Buffer],
          [second, all.get(first) as Buffer],
        ]),
      ),
    ).toBe('chunk');
    expect(contents(new Map([...all, [second, Buffer.from(`${texts[2]} `)]]))).toBe('chunk');
    expect(contents(new Map([...all, [second, Buffer.from(texts[2] as string).subarray(1)]]))).toBe('chunk');
    expect(contents(new Map([...all, [second, Buffer.alloc(0)]]))).toBe('chunk');
    expect(problemOf(() => verifyChunk(root, sha256('x'), Buffer.from('x')))).toBe('chunk');
    expect(problemOf(() => verifyChunk(root, first, all.get(first) as Buffer))).toBeUndefined();
  });

  it('are refused when they hold more or less than the root says (G-01)', () => {
    expect(contents(all, rootOf({ objectCount: 4 }))).toBe('counts');
    expect(contents(all, rootOf({ totalBytes: root.totalBytes + 1 }))).toBe('counts');
  });
});
