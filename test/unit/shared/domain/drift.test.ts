import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { compareAppliedDryRun, ownedDifferences } from '#shared/domain/drift.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { parseLossless } from '#shared/domain/lossless.ts';
import { sameQuantity } from '#shared/domain/quantity.ts';
import { mask } from '#shared/domain/redact.ts';
import { deploymentPair } from './drift-kit.ts';

function object(yaml: string): KubeObject {
  const parsed = parse(yaml) as Record<string, unknown> & { metadata?: object };
  return { apiVersion: 'v1', kind: 'ConfigMap', ...parsed, metadata: { name: 'x', ...parsed.metadata } } as KubeObject;
}

const paths = (desired: string, live: string) =>
  ownedDifferences(object(desired), object(live)).map(({ path }) => path);

const deployment = 'apiVersion: apps/v1, kind: Deployment';
const pod = (containers: string) => `{${deployment}, spec: {template: {spec: {containers: ${containers}}}}}`;
const service = (ports: string) => `{kind: Service, spec: {ports: ${ports}}}`;
const policy = (ports: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {ingress: [{ports: ${ports}}]}}`;
const custom = (spec: string) => `{apiVersion: example.com/v1, kind: Thing, spec: ${spec}}`;

describe('a live object equals what is desired', () => {
  it.each([
    [
      'with defaults of the API server in it',
      pod('[{name: a, image: b}]'),
      pod('[{name: a, image: b, imagePullPolicy: Always}]'),
    ],
    [
      'with an amount written otherwise',
      pod('[{name: a, resources: {limits: {cpu: 1000m, memory: 1Gi}}}]'),
      pod('[{name: a, resources: {limits: {cpu: "1", memory: 1024Mi}}}]'),
    ],
    [
      'with an amount written as number',
      pod('[{name: a, resources: {requests: {cpu: 1}}}]'),
      pod('[{name: a, resources: {requests: {cpu: "1"}}}]'),
    ],
    [
      'with quotas written otherwise',
      '{kind: ResourceQuota, spec: {hard: {pods: 1k}}}',
      '{kind: ResourceQuota, spec: {hard: {pods: "1000"}}}',
    ],
    [
      'with limit ranges written otherwise',
      '{kind: LimitRange, spec: {limits: [{max: {cpu: 1000m}}]}}',
      '{kind: LimitRange, spec: {limits: [{max: {cpu: "1"}}]}}',
    ],
    [
      'with containers in another order, and one that was injected',
      pod('[{name: a, image: x}, {name: b, image: y}]'),
      pod('[{name: sidecar}, {name: b, image: y}, {name: a, image: x}]'),
    ],
    [
      'with more environment',
      pod('[{name: a, env: [{name: B, value: "1"}]}]'),
      pod('[{name: a, env: [{name: A, value: "0"}, {name: B, value: "1"}]}]'),
    ],
    [
      'with an empty environment value dropped',
      pod('[{name: a, env: [{name: B, value: ""}]}]'),
      pod('[{name: a, env: [{name: B}]}]'),
    ],
    [
      'with the protocol of a port filled in',
      pod('[{name: a, ports: [{containerPort: 80}]}]'),
      pod('[{name: a, ports: [{containerPort: 80, protocol: TCP}]}]'),
    ],
    [
      'with node ports that were allocated',
      service('[{port: 80}]'),
      service('[{port: 80, protocol: TCP, targetPort: 80, nodePort: 30001}]'),
    ],
    [
      'with an empty cluster address allocated',
      '{kind: Service, spec: {clusterIP: ""}}',
      '{kind: Service, spec: {clusterIP: 10.0.0.1}}',
    ],
    [
      'with more labels and annotations',
      '{metadata: {labels: {a: b}}}',
      '{metadata: {labels: {a: b, c: d}, annotations: {e: f}}}',
    ],
    ['with more finalizers', '{metadata: {finalizers: [a]}}', '{metadata: {finalizers: [b, a]}}'],
    ['with an empty map dropped', '{metadata: {annotations: {}}, data: {}}', '{}'],
    [
      'with false, 0 and empty lists dropped',
      `{${deployment}, spec: {paused: false, minReadySeconds: 0, template: {spec: {hostNetwork: false, imagePullSecrets: []}}}}`,
      `{${deployment}, spec: {template: {spec: {}}}}`,
    ],
    ['with nulls, which own nothing', '{data: {a: null}, metadata: {annotations: null}}', '{data: {a: b}}'],
    ['with another status', `{${deployment}, status: {replicas: 1}}`, `{${deployment}, status: {replicas: 2}}`],
    [
      'with bookkeeping of the API server',
      '{metadata: {creationTimestamp: null}}',
      '{metadata: {uid: u, resourceVersion: "1", generation: 2, managedFields: [], creationTimestamp: t}}',
    ],
    ['with stringData encoded', '{kind: Secret, stringData: {a: hello}}', '{kind: Secret, data: {a: aGVsbG8=}}'],
    [
      'with stringData over data',
      '{kind: Secret, data: {a: eA==}, stringData: {a: hello}}',
      '{kind: Secret, data: {a: aGVsbG8=}}',
    ],
    ['with base64 in one line', '{kind: Secret, data: {a: "aGVs\\nbG8=\\n"}}', '{kind: Secret, data: {a: aGVsbG8=}}'],
    [
      'with defaults inside the elements of a whole list',
      '{apiVersion: apps/v1, kind: StatefulSet, spec: {volumeClaimTemplates: [{metadata: {name: d}}]}}',
      '{apiVersion: apps/v1, kind: StatefulSet, spec: {volumeClaimTemplates: [{metadata: {name: d}, status: {phase: Pending}}]}}',
    ],
    ['of a custom kind with defaults', custom('{a: {b: 1}}'), custom('{a: {b: 1, c: 2}}')],
  ])('%s', (_what, desired, live) => expect(ownedDifferences(object(desired), object(live))).toEqual([]));
});

describe('drift is', () => {
  it.each([
    [
      'a changed value',
      `{${deployment}, spec: {replicas: 2}}`,
      `{${deployment}, spec: {replicas: 3}}`,
      ['/spec/replicas'],
    ],
    [
      'a changed image',
      pod('[{name: a, image: x}]'),
      pod('[{name: z}, {name: a, image: y}]'),
      ['/spec/template/spec/containers/0/image'],
    ],
    [
      'another amount',
      pod('[{name: a, resources: {limits: {cpu: 1000m}}}]'),
      pod('[{name: a, resources: {limits: {cpu: "2"}}}]'),
      ['/spec/template/spec/containers/0/resources/limits/cpu'],
    ],
    [
      'a container that is gone',
      pod('[{name: a, image: x}]'),
      pod('[{name: b}]'),
      ['/spec/template/spec/containers/0'],
    ],
    [
      'a changed environment value',
      pod('[{name: a, env: [{name: B, value: "1"}]}]'),
      pod('[{name: a, env: [{name: B, value: "2"}]}]'),
      ['/spec/template/spec/containers/0/env/0/value'],
    ],
    [
      'a changed port',
      service('[{port: 80, targetPort: 8080}]'),
      service('[{port: 80, targetPort: 9090}]'),
      ['/spec/ports/0/targetPort'],
    ],
    [
      'the same port of another protocol',
      service('[{port: 53, protocol: UDP}]'),
      service('[{port: 53, protocol: TCP}]'),
      ['/spec/ports/0'],
    ],
    [
      'a port that somebody adds to a NetworkPolicy',
      policy('[{port: 80}]'),
      policy('[{port: 80}, {port: 22}]'),
      ['/spec/ingress/0/ports'],
    ],
    [
      'an argument that somebody adds',
      pod('[{name: a, args: [x]}]'),
      pod('[{name: a, args: [x, y]}]'),
      ['/spec/template/spec/containers/0/args'],
    ],
    ['a label that is gone', '{metadata: {labels: {a: b}}}', '{metadata: {labels: {}}}', ['/metadata/labels/a']],
    ['all labels gone', '{metadata: {labels: {a: b}}}', '{}', ['/metadata/labels']],
    [
      'a changed annotation with a slash',
      '{metadata: {annotations: {"a/b": c}}}',
      '{metadata: {annotations: {"a/b": d}}}',
      ['/metadata/annotations/a~1b'],
    ],
    [
      'a finalizer that is gone',
      '{metadata: {finalizers: [a, b]}}',
      '{metadata: {finalizers: [b]}}',
      ['/metadata/finalizers/0'],
    ],
    ['an empty value of a ConfigMap that is gone', '{data: {a: ""}}', '{data: {}}', ['/data/a']],
    [
      'text of a ConfigMap that only looks like an amount',
      '{data: {limits: 1000m}}',
      '{data: {limits: "1"}}',
      ['/data/limits'],
    ],
    ['text of a ConfigMap that differs by a space', '{data: {a: "x y"}}', '{data: {a: xy}}', ['/data/a']],
    [
      'an image tag that only looks like a number',
      pod('[{name: a, image: "1.0"}]'),
      pod('[{name: a, image: "1.00"}]'),
      ['/spec/template/spec/containers/0/image'],
    ],
    [
      'a selector of all that is gone',
      '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}}}',
      '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {}}',
      ['/spec/podSelector'],
    ],
    [
      'a false that means something and is gone',
      `{${deployment}, spec: {template: {spec: {automountServiceAccountToken: false}}}}`,
      `{${deployment}, spec: {template: {spec: {}}}}`,
      ['/spec/template/spec/automountServiceAccountToken'],
    ],
    ['another type', '{data: {a: b}}', '{data: [a]}', ['/data']],
    [
      'a list element of a custom kind that is added',
      custom('{containers: [{name: a}]}'),
      custom('{containers: [{name: a}, {name: b}]}'),
      ['/spec/containers'],
    ],
    ['an empty list of a custom kind that is gone', custom('{list: []}'), custom('{}'), ['/spec/list']],
    [
      'a rule of a role that somebody adds',
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, rules: [{verbs: [get]}]}',
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, rules: [{verbs: [get]}, {verbs: ["*"]}]}',
      ['/rules'],
    ],
    [
      'an image pull secret that somebody adds to a ServiceAccount',
      '{kind: ServiceAccount, imagePullSecrets: [{name: a}]}',
      '{kind: ServiceAccount, imagePullSecrets: [{name: a}, {name: b}]}',
      ['/imagePullSecrets'],
    ],
    [
      'a subject that somebody adds to a binding',
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, subjects: [{name: a}]}',
      '{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, subjects: [{name: a}, {name: b}]}',
      ['/subjects'],
    ],
  ])('%s', (_what, desired, live, wanted) => expect(paths(desired, live)).toEqual(wanted));

  it('shown with both values as JSON text', () => {
    expect(ownedDifferences(object('{data: {a: "1"}}'), object('{data: {a: "2", b: c}}'))).toEqual([
      { path: '/data/a', desired: '"1"', live: '"2"' },
    ]);
  });

  it('cut where it is long, and limited in number', () => {
    const long = {
      ...object('{}'),
      data: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, 'x'.repeat(2000)])),
    };
    const found = ownedDifferences(long, object('{data: {}}'));
    expect(found).toHaveLength(50);
    expect(found[0]?.desired?.length).toBe(1024);
    expect(ownedDifferences(long, object('{data: {}}'), { limit: 1 })).toHaveLength(1);
  });

  it('never shown with the values of a Secret (NT-90, NT-96)', () => {
    const found = ownedDifferences(
      object('{kind: Secret, stringData: {a: swordfish}}'),
      object('{kind: Secret, data: {a: b2xk}}'),
    );
    expect(found).toEqual([{ path: '/data/a', desired: JSON.stringify(mask), live: JSON.stringify(mask) }]);
  });

  it('seen in numbers that JavaScript cannot hold, as far as both sides kept them', () => {
    const parsed = (text: string) =>
      parseLossless(
        `{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"n":${text}}}`,
      ) as KubeObject;
    expect(ownedDifferences(parsed('9007199254740993'), parsed('9007199254740993'))).toEqual([]);
    expect(ownedDifferences(parsed('9007199254740993'), parsed('9007199254740999'))).toHaveLength(1);
    expect(ownedDifferences(parsed('1.0'), parsed('1'))).toEqual([]);
  });

  it('not what ignore rules exclude', () => {
    const desired = object(`{${deployment}, spec: {replicas: 2, paused: true}}`);
    const live = object(`{${deployment}, spec: {replicas: 5, paused: true}}`);
    const ignore = [{ group: 'apps', kind: 'Deployment', jsonPointers: ['/spec/replicas'] }];
    expect(ownedDifferences(desired, live, { ignore })).toEqual([]);
    expect(
      ownedDifferences(desired, live, { ignore: [{ kind: 'Deployment', jsonPointers: ['/spec/replicas'] }] }),
    ).toHaveLength(1);
  });
});

describe('a dry run compared with the live object', () => {
  const live = object(
    `{${deployment}, metadata: {uid: u, resourceVersion: "1", generation: 1, managedFields: [{manager: a}], labels: {a: b}}, spec: {replicas: 2, x: 1}, status: {replicas: 2}}`,
  );

  it('is equal where only bookkeeping differs', () => {
    const dry = {
      ...live,
      metadata: { ...live.metadata, resourceVersion: '9', generation: 2, managedFields: [] },
      status: {},
    };
    expect(compareAppliedDryRun(live, dry)).toEqual([]);
  });

  it('differs in what the apply would change, add and take away', () => {
    const dry = { ...live, spec: { replicas: 3, y: 2 }, metadata: { ...live.metadata, labels: { a: 'b', c: 'd' } } };
    expect(compareAppliedDryRun(live, dry)).toEqual([
      { path: '/metadata/labels/c', desired: '"d"' },
      { path: '/spec/replicas', desired: '3', live: '2' },
      { path: '/spec/y', desired: '2' },
      { path: '/spec/x', live: '1' },
    ]);
  });

  it('honours ignore rules on both sides', () => {
    const dry = { ...live, spec: { replicas: 3, x: 1 } };
    expect(
      compareAppliedDryRun(live, dry, {
        ignore: [{ group: 'apps', kind: '*', jqPathExpressions: ['.spec.replicas'] }],
      }),
    ).toEqual([]);
  });

  it('masks Secrets', () => {
    const secret = object('{kind: Secret, data: {a: eA==}}');
    const found = compareAppliedDryRun(secret, object('{kind: Secret, data: {a: eQ==}}'));
    expect(JSON.stringify(found)).not.toMatch(/eA==|eQ==/);
    expect(found).toHaveLength(1);
  });
});

describe('whatever an object holds', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.dictionary(fc.string({ minLength: 1 }), tie('node')),
      fc.array(tie('node'), { maxLength: 4 }),
    ),
  })).node as fc.Arbitrary<never>;
  const any = (spec: never, group: string) =>
    ({ apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'x' }, spec }) as KubeObject;

  it('it never differs from itself, nor from itself with more in it', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom('apps', 'example.com'), (spec, group) => {
        const one = any(spec, group);
        expect(ownedDifferences(one, structuredClone(one))).toEqual([]);
        expect(compareAppliedDryRun(one, structuredClone(one))).toEqual([]);
        expect(ownedDifferences(one, { ...structuredClone(one), more: { a: 1 }, status: {} })).toEqual([]);
      }),
    );
  });

  it('a changed leaf of a custom object is always found', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }), leaf, leaf, (path, a, b) => {
        fc.pre(a !== b);
        const nest = (value: unknown) =>
          path.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value);
        expect(
          ownedDifferences(any(nest(a) as never, 'example.com'), any(nest(b) as never, 'example.com')),
        ).toHaveLength(1);
      }),
    );
  });

  it('a Deployment as the API server returns it does not differ from what was applied', () => {
    const { desired, live } = deploymentPair();
    expect(ownedDifferences(desired, live)).toEqual([]);
  });
});

describe('amounts', () => {
  it.each([
    ['1', '1000m', true],
    ['1Gi', '1024Mi', true],
    ['1G', '1000M', true],
    ['1G', '1Gi', false],
    ['0.5', '500m', true],
    ['.5', '500m', true],
    ['1e3', '1k', true],
    ['1E3', '1k', true],
    ['1E', '1000P', true],
    ['100n', '0.1u', true],
    ['1.5Gi', '1536Mi', true],
    ['0', '0Mi', true],
    ['-1', '-1000m', true],
    ['9007199254740993', '9007199254740992', false],
    ['abc', 'abc ', false],
    ['', '0', false],
    ['1', '2', false],
    ['1Zi', '1', false],
  ])('%s and %s are the same: %s', (a, b, same) => expect(sameQuantity(a, b)).toBe(same));
});
