import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import {
  changedMask,
  isSecret,
  mask,
  redactDifferences,
  redactObject,
  redactPair,
  redactText,
} from '#shared/domain/redact.ts';

const canary = 'sw0rdfish-canary';
const encoded = Buffer.from(canary).toString('base64');

function secret(more: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, ...more } as KubeObject;
}

function isClean(value: unknown): void {
  const text = JSON.stringify(value);
  expect(text).not.toContain(canary);
  expect(text).not.toContain(encoded);
}

describe('a Secret that is shown', () => {
  it('has the names of its values and none of them (NT-96)', () => {
    const shown = redactObject(secret({ type: 'Opaque', data: { a: encoded }, stringData: { b: canary } }));
    expect(shown).toMatchObject({ type: 'Opaque', data: { a: mask }, stringData: { b: mask } });
  });

  it.each([
    ['a number', { data: { a: 5_417_341 } }],
    ['text that is no base64', { data: { a: `!${canary}` } }],
    ['an object as a value', { data: { a: { b: canary } } }],
    ['a list for its data', { data: [canary] }],
    ['a text for its data', { stringData: canary }],
    [
      'an applied configuration in its annotations (NT-91)',
      {
        metadata: {
          name: 'db',
          annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"a":"${encoded}"}}` },
        },
      },
    ],
    [
      'a token in its annotations (NT-91)',
      { metadata: { name: 'db', annotations: { 'openshift.io/token-secret.value': canary } } },
    ],
  ])('shows nothing of %s', (_what, more) => {
    const shown = redactObject(secret(more));
    isClean(shown);
    expect(JSON.stringify(shown)).not.toContain('5417341');
  });

  it('inside a List is masked as well', () => {
    isClean(
      redactObject({
        apiVersion: 'v1',
        kind: 'List',
        items: [secret({ data: { a: encoded } }), { kind: 'ConfigMap' }],
      }),
    );
    isClean(redactObject({ apiVersion: 'v1', kind: 'SecretList', items: [{ data: { a: encoded } }] }));
  });

  it('leaves other objects as they are, but for the applied configuration', () => {
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', annotations: { a: 'b' } },
      data: { a: 'b' },
    };
    expect(redactObject(map)).toEqual(map);
    const applied = {
      ...map,
      metadata: { name: 'x', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': canary } },
    };
    isClean(redactObject(applied));
  });

  it('is told by what the object says itself (NT-92)', () => {
    expect(isSecret(secret())).toBe(true);
    expect(isSecret({ apiVersion: 'v1', kind: 'secret' })).toBe(true);
    expect(isSecret({ kind: 'Secret' })).toBe(true);
    expect(isSecret({ apiVersion: 'example.com/v1', kind: 'Secret' })).toBe(false);
    expect(isSecret({ apiVersion: 'v1', kind: 'ConfigMap' })).toBe(false);
  });
});

describe('two sides of an object', () => {
  it('are both masked as soon as one is a Secret (NT-92)', () => {
    const spoofed = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'db' }, data: { a: encoded } };
    isClean(redactPair(spoofed, secret({ data: { a: encoded } })));
    isClean(redactPair(secret({ data: { a: encoded } }), spoofed));
    isClean(redactPair(secret({ data: { a: encoded } }), undefined));
  });

  it('say where a value differs, and nothing else of it (NT-96)', () => {
    const pair = redactPair(
      secret({ stringData: { a: 'x', b: canary } }),
      secret({ data: { a: 'eA==', b: 'b3RoZXI=', c: 'eQ==' } }),
    );
    expect(pair.desired).toMatchObject({ stringData: { a: mask, b: changedMask } });
    expect(pair.live).toMatchObject({ data: { a: mask, b: changedMask, c: mask } });
  });

  it('show neither length nor equality of values within one object', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const shown = redactObject(secret({ data: { a, b } })) as unknown as { data: { a: string; b: string } };
        expect(shown.data.a).toBe(shown.data.b);
      }),
    );
  });
});

describe('differences that are shown', () => {
  const id = { group: '', kind: 'Secret' };

  it('of a Secret hold no values', () => {
    const found = redactDifferences(id, [
      { path: '/data/a', desired: JSON.stringify(encoded), live: '"x"' },
      { path: '/data', desired: JSON.stringify({ a: encoded }) },
      { path: '', desired: JSON.stringify(secret({ data: { a: encoded } })) },
      { path: '/metadata/labels/a', desired: '"b"' },
      { path: '/type', desired: '"Opaque"' },
    ]);
    isClean(found);
    expect(found.slice(3)).toEqual([
      { path: '/metadata/labels/a', desired: '"b"' },
      { path: '/type', desired: '"Opaque"' },
    ]);
  });

  it('hold no applied configuration, whatever the kind', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': canary, a: 'b' };
    const found = redactDifferences({ group: 'apps', kind: 'Deployment' }, [
      { path: '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration', live: JSON.stringify(canary) },
      { path: '/metadata/annotations', desired: JSON.stringify(annotations) },
      { path: '/metadata', live: JSON.stringify({ annotations }) },
      { path: '/metadata/annotations', live: `${JSON.stringify(annotations).slice(0, -3)}…` },
      { path: '/spec/replicas', desired: '1', live: '2' },
    ]);
    isClean(found);
    expect(found[1]?.desired).toContain('"a":"b"');
    expect(found[4]).toEqual({ path: '/spec/replicas', desired: '1', live: '2' });
  });

  it('keep the sentence that says why an object cannot be applied, without what it quotes of a Secret', () => {
    const [shown] = redactDifferences({ group: 'apps', kind: 'Deployment' }, [
      { path: '', desired: '"refused: field is immutable"' },
    ]);
    expect(shown?.desired).toBe('"refused: field is immutable"');
    isClean(
      redactDifferences(id, [{ path: '', desired: JSON.stringify(`refused: data: Invalid value: "${canary}": bad`) }]),
    );
  });
});

describe('a Secret with a misspelt field', () => {
  it('shows its name only', () => {
    const shown = JSON.stringify(redactObject({ apiVersion: 'v1', kind: 'Secret', dta: { a: canary }, foo: canary }));

    isClean(shown);
    expect(shown).toContain('"dta"');
  });
});

describe('a text of an API server about a Secret (NT-90)', () => {
  const object = secret({ data: { a: encoded }, stringData: { b: canary } });

  it.each([
    [`Secret "db" is invalid: data[a]: Invalid value: "${canary}": must be base64`, 'data[a]: Invalid value: '],
    [
      `Secret in version "v1" cannot be handled as a Secret: json: cannot unmarshal string "${canary}" into Go struct field Secret.data`,
      'cannot unmarshal',
    ],
    [`admission webhook denied: value ${canary} is too weak`, 'admission webhook denied'],
    [`data: ${encoded} is wrong`, 'data: '],
    [`Invalid value: {"a":"${canary}"}: no`, 'Invalid value: '],
  ])('keeps its reason and loses the value: %s', (text, kept) => {
    const shown = redactText(text, object);
    isClean(shown);
    expect(shown).toContain(kept);
  });

  it('loses quoted values even where only the kind is known', () => {
    isClean(redactText(`data[a]: Invalid value: "${canary}": x`, { group: '', kind: 'Secret' }));
  });

  it('loses what server-side apply says that it got', () => {
    const text = `.stringData.a: expected string, got &value.valueUnstructured{Value:map[string]interface {}{"b":"${canary}"}}`;
    const shown = redactText(text, { group: '', kind: 'Secret' });

    isClean(shown);
    expect(shown).toContain('.stringData.a: expected string');
  });

  it('about another kind stays as it is', () => {
    const text = 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be positive';
    expect(redactText(text, { group: 'apps', kind: 'Deployment' })).toBe(text);
  });
});

describe('any text (NT-93)', () => {
  it.each([
    `fatal: could not read https://user:${canary}@git.example.com/repo.git`,
    `clone https://${canary}@git.example.com/repo.git failed`,
    `Authorization: Bearer ${canary}`,
    `GET https://blob.example.com/x?sv=1&sig=${canary}&se=2 403`,
    `https://s3.example.com/x?X-Amz-Signature=${canary}`,
    `-----BEGIN RSA PRIVATE KEY-----\n${canary}\n-----END RSA PRIVATE KEY-----`,
    `-----BEGIN PRIVATE KEY-----\n${canary}`,
    `token eyJhbGciOiJSUzI1NiJ9.eyJ${canary.replaceAll('-', '')}.x`,
  ])('loses credentials: %s', (text) => {
    expect(redactText(text)).not.toContain(canary.replaceAll('-', ''));
    isClean(redactText(text));
  });

  it('keeps what is harmless', () => {
    const text = 'see https://docs.example.com/page?version=1#key and user@example.com';
    expect(redactText(text)).toBe(text);
  });
});
