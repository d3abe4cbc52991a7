import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '#shared/domain/json.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { isRawNumber, losslessText, parseLossless } from '#shared/domain/lossless.ts';
import { argoTrackingId, markObject, ownerMark, parentMarks, readTracking } from '#shared/domain/tracking.ts';
import { HawserError } from '#shared/errors.ts';

const marks = { labels: { owner: 'us' }, annotations: { note: 'ours' } };

describe('the owner mark', () => {
  it('is the ApplySet id of the parent Secret, as KEP-3659 makes it', () => {
    const digest = createHash('sha256').update('hawser-app-shop.hawser-system.Secret.').digest('base64url');
    expect(ownerMark('shop')).toBe(`applyset-${digest}-v1`);
  });

  it('is a label value for every application id, and another one for each', () => {
    const id = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
    const labelValue = /^[A-Za-z0-9][A-Za-z0-9._-]{0,61}[A-Za-z0-9]$/;
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(ownerMark(a)).toMatch(labelValue);
        expect(ownerMark(a) === ownerMark(b)).toBe(a === b);
      }),
    );
  });

  it('is what the parent calls itself, with the kinds and namespaces of its members', () => {
    const member = (group: string, kind: string, namespace: string) => ({ group, kind, namespace, name: 'x' });
    expect(
      parentMarks('shop', [
        member('apps', 'Deployment', 'shop'),
        member('', 'Service', 'shop'),
        member('', 'Namespace', ''),
      ]),
    ).toEqual({
      labels: { 'applyset.kubernetes.io/id': ownerMark('shop') },
      annotations: {
        'applyset.kubernetes.io/tooling': 'hawser/v1',
        'applyset.kubernetes.io/contains-group-kinds': 'Deployment.apps,Namespace,Service',
        'applyset.kubernetes.io/additional-namespaces': 'shop',
      },
    });
  });
});

describe('marking an object', () => {
  it('adds labels and annotations, sorts keys, and wins over what is there', () => {
    const text = '{"metadata":{"name":"x","labels":{"z":"1","owner":"them"}},"kind":"ConfigMap","apiVersion":"v1"}';
    expect(markObject(text, marks)).toBe(
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{"note":"ours"},"labels":{"owner":"us","z":"1"},"name":"x"}}',
    );
  });

  it('sets the namespace, or takes it away for cluster scope', () => {
    const text = '{"metadata":{"name":"x","namespace":"a"}}';
    const none = { labels: {}, annotations: {} };
    expect(markObject(text, { ...none, namespace: 'b' })).toBe('{"metadata":{"name":"x","namespace":"b"}}');
    expect(markObject(text, { ...none, namespace: '' })).toBe('{"metadata":{"name":"x"}}');
    expect(markObject(text, none)).toBe('{"metadata":{"name":"x","namespace":"a"}}');
  });

  it('copes with labels that are null and metadata that is missing', () => {
    expect(markObject('{"metadata":{"labels":null}}', marks)).toBe(
      '{"metadata":{"annotations":{"note":"ours"},"labels":{"owner":"us"}}}',
    );
    expect(markObject('{}', marks)).toContain('"owner":"us"');
  });

  it.each([
    '9007199254740993',
    '-9223372036854775808',
    '18446744073709551615',
    '1.0',
    '0.10',
    '1e3',
    '1E400',
    '-0.0',
    '123',
  ])('keeps the number %s as it is written', (number) => {
    const text = `{"apiVersion":"v1","metadata":{"name":"x"},"spec":{"list":[${number}, ${number}],"n": ${number}}}`;
    const marked = markObject(text, marks);
    expect(marked).toContain(`"list":[${number},${number}]`);
    expect(marked).toContain(`"n":${number}`);
  });

  it('keeps members named like members of every object', () => {
    expect(markObject('{"data":{"__proto__":"a","constructor":"b"},"metadata":{}}', marks)).toContain(
      '"data":{"__proto__":"a","constructor":"b"}',
    );
  });

  it.each(['', '{', '[]', '"x"', 'null', '12', '{"secret": sw0rdfish}'])('refuses %j without quoting it', (text) => {
    expect(() => markObject(text, marks)).toThrow(HawserError);
    try {
      markObject(text, marks);
    } catch (error) {
      expect(String(error)).not.toContain('sw0rdfish');
      expect((error as HawserError).code).toBe('object-invalid');
    }
  });

  it('refuses what nests without end instead of running out of stack', () => {
    const deep = `{"metadata":{},"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(() => markObject(deep, marks)).toThrow(HawserError);
  });

  it('gives the same text again when it is marked again', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const once = markObject(`{"spec":${text},"metadata":{}}`, marks);
        expect(markObject(once, marks)).toBe(once);
      }),
    );
  });
});

describe('JSON without loss', () => {
  it('is the same as JSON for everything that JavaScript can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(losslessText(parseLossless(JSON.stringify(value))))).toEqual(
          JSON.parse(JSON.stringify(value)),
        );
      }),
    );
  });

  it('sorts keys as canonical JSON does', () => {
    const value = { b: [1, { d: null, c: 'x' }], a: true, é: 1, Z: 2 };
    expect(losslessText(value)).toBe(canonicalJson(value));
  });

  it('tells raw numbers from objects', () => {
    expect(isRawNumber(parseLossless('9007199254740993'))).toBe(true);
    expect(isRawNumber(parseLossless('{"rawJSON":"1"}'))).toBe(false);
  });
});

describe('who an object belongs to', () => {
  const object = (metadata: object): KubeObject =>
    ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop', ...metadata },
    }) as KubeObject;
  const tracked = (id: string) => readTracking(object({ annotations: { 'argocd.argoproj.io/tracking-id': id } })).argo;

  it('is read from our mark', () => {
    expect(readTracking(object({ labels: { 'applyset.kubernetes.io/part-of': ownerMark('shop') } }))).toEqual({
      owner: ownerMark('shop'),
    });
  });

  it("is read from Argo CD's tracking id, which has to name the object itself (argo-cd.md §2.4)", () => {
    const id = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' };
    expect(argoTrackingId('guestbook', id)).toBe('guestbook:apps/Deployment:shop/web');
    expect(tracked('guestbook:apps/Deployment:shop/web')).toEqual({ application: 'guestbook', self: true });
    expect(tracked('team_guestbook:apps/Deployment:shop/web')).toEqual({ application: 'team_guestbook', self: true });
    expect(tracked('guestbook:apps/Deployment:shop/other')).toEqual({ application: 'guestbook', self: false });
    expect(tracked('guestbook:apps/ReplicaSet:shop/web')).toEqual({ application: 'guestbook', self: false });
    expect(tracked('nonsense')).toBeUndefined();
  });

  it('of a cluster-scoped object ignores the namespace that is written', () => {
    const role: KubeObject = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: {
        name: 'a:b',
        annotations: { 'argocd.argoproj.io/tracking-id': 'app:rbac.authorization.k8s.io/ClusterRole:shop/a:b' },
      },
    };
    expect(readTracking(role).argo).toEqual({ application: 'app', self: true });
  });

  it("is read from Flux's labels and Helm's annotations", () => {
    expect(
      readTracking(
        object({
          labels: {
            'kustomize.toolkit.fluxcd.io/name': 'apps',
            'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
          },
        }),
      ),
    ).toEqual({
      flux: { kind: 'Kustomization', name: 'apps', namespace: 'flux-system' },
    });
    expect(
      readTracking(
        object({
          labels: { 'helm.toolkit.fluxcd.io/name': 'web', 'helm.toolkit.fluxcd.io/namespace': 'shop' },
          annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'shop' },
        }),
      ),
    ).toEqual({
      flux: { kind: 'HelmRelease', name: 'web', namespace: 'shop' },
      helm: { release: 'web', namespace: 'shop' },
    });
  });

  it('is nobody where nothing is said', () => expect(readTracking(object({}))).toEqual({}));
});
