import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { IgnoreRule } from '#shared/domain/application.ts';
import {
  ignoredPaths,
  respectIgnored,
  ruleMatches,
  rulesFor,
  unsupportedExpressions,
  withoutIgnored,
} from '#shared/domain/ignore-rules.ts';
import { compileJq, jqPaths } from '#shared/domain/jq-paths.ts';
import type { Json } from '#shared/domain/json.ts';
import { pointerOf } from '#shared/domain/json-paths.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';

const id = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' };

describe('a rule is for an object', () => {
  it.each<[IgnoreRule, boolean]>([
    [{ group: 'apps', kind: 'Deployment' }, true],
    [{ group: '*', kind: '*' }, true],
    [{ group: 'apps', kind: 'Dep*' }, true],
    [{ group: 'app?', kind: 'Deployment' }, true],
    [{ kind: 'Deployment' }, false],
    [{ group: 'apps' }, false],
    [{ group: 'apps', kind: 'Deployment', name: 'web' }, true],
    [{ group: 'apps', kind: 'Deployment', name: 'we*' }, false],
    [{ group: 'apps', kind: 'Deployment', namespace: 'other' }, false],
    [{ group: 'apps', kind: 'Deployment', name: '', namespace: '' }, true],
    [{ group: '*.apps', kind: 'Deployment' }, false],
  ])('%j: %s', (rule, matches) => expect(ruleMatches(rule, id)).toBe(matches));

  it('quickly, whatever its pattern', () => {
    const rule = { group: '*a'.repeat(200), kind: '*' };
    expect(ruleMatches(rule, { ...id, group: 'a'.repeat(250) })).toBe(true);
    expect(ruleMatches({ group: `${'*a'.repeat(100)}b`, kind: '*' }, { ...id, group: 'a'.repeat(250) })).toBe(false);
  });
});

const deployment = parse(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: { example.com/a: x, other: y }
spec:
  replicas: 2
  template:
    spec:
      containers:
        - { name: app, image: 'app:1', env: [{ name: AWS_REGION, value: eu }, { name: PORT, value: '80' }] }
        - { name: sidecar, image: 'proxy:1' }
      initContainers: []
  metrics: [{ type: Resource, weight: 5 }, { type: Pods, weight: 9 }]
`) as KubeObject;

const select = (expression: string, value: Json = deployment) => jqPaths(compileJq(expression), value).map(pointerOf);
const containers = '/spec/template/spec/containers';

describe('a jq expression selects', () => {
  it.each([
    ['.spec.replicas', ['/spec/replicas']],
    ['.spec["replicas"]', ['/spec/replicas']],
    ['."spec"."replicas"', ['/spec/replicas']],
    ['.["spec"].replicas', ['/spec/replicas']],
    ['.metadata.annotations["example.com/a"]', ['/metadata/annotations/example.com~1a']],
    ['.spec.template.spec.containers[].image', [`${containers}/0/image`, `${containers}/1/image`]],
    ['.spec.template.spec.containers.[].image', [`${containers}/0/image`, `${containers}/1/image`]],
    ['.spec.template.spec.containers[1].image', [`${containers}/1/image`]],
    ['.spec.template.spec.containers[-1].image', [`${containers}/1/image`]],
    ['.spec.template.spec.containers[] | select(.name == "sidecar")', [`${containers}/1`]],
    ['.spec.template.spec.containers[] | select(.name != "app") | .image', [`${containers}/1/image`]],
    ['.spec.template.spec.containers[] | select(.name | startswith("side"))', [`${containers}/1`]],
    ['.spec.template.spec.containers[] | select(.name | endswith("car") or startswith("x"))', [`${containers}/1`]],
    ['.spec.template.spec.containers[].env[]? | select(.name | test("^AWS_"))', [`${containers}/0/env/0`]],
    [
      '.spec.template.spec.containers[]?.env[]? | select(.name | test("^aws_"; "i")).value',
      [`${containers}/0/env/0/value`],
    ],
    ['.spec.template.spec.containers[] | select(.name | test("^app$") | not)', [`${containers}/1`]],
    ['.spec.template.spec.containers[] | select(has("env"))', [`${containers}/0`]],
    ['.spec.template.spec.containers[] | select(.name == "app" and (.image | contains("app")))', [`${containers}/0`]],
    ['.spec.metrics[] | select(.weight > 5)', ['/spec/metrics/1']],
    ['.spec.metrics[] | select(.weight <= 5 or .type == "None")', ['/spec/metrics/0']],
    ['(.spec.replicas, .metadata.annotations.other)', ['/spec/replicas', '/metadata/annotations/other']],
    ['.spec.replicas, .spec.metrics[0].weight', ['/spec/replicas', '/spec/metrics/0/weight']],
    ['.spec | .replicas', ['/spec/replicas']],
    ['.spec.missing.deep?', ['/spec/missing/deep']],
    ['.spec.template.spec.initContainers[].image', []],
    ['.spec.absent[]?', []],
    ['.spec.metrics[] | select(.type | length > 4)', ['/spec/metrics/0']],
    ['.metadata.annotations | select(type == "object") | .other', ['/metadata/annotations/other']],
    ['.. | .weight?', ['/spec/metrics/0/weight', '/spec/metrics/1/weight']],
  ])('%s', (expression, wanted) => {
    const found = select(expression);
    // `..` also visits objects that lack the member; a path to nothing removes nothing.
    if (expression.startsWith('..')) expect(found).toEqual(expect.arrayContaining(wanted));
    else expect(found).toEqual(wanted);
  });

  it.each(['.spec.replicas[]', '.spec[0]', '.metadata.name.x', '.spec.metrics[] | select(.type > 4)'])(
    'nothing where jq itself would fail: %s',
    (expression) => expect(select(expression)).toEqual([]),
  );

  it('nothing where it would visit too much (NT-74)', () => {
    const wide = Array.from({ length: 3000 }, () => 1);
    expect(select('.. | .. | .. | .a?', { a: [wide, wide, wide] })).toEqual([]);
    expect(select('.a[] , .a[] , .a[]', { a: wide })).toHaveLength(9000);
  });
});

describe('an expression that is not supported', () => {
  it.each([
    'del(.spec)',
    '.spec | to_entries',
    '.spec as $x | $x',
    '.spec.metrics[1:]',
    '.spec // "x"',
    '.spec.metrics[] | select(.weight * 2 == 10)',
    'reduce .[] as $i (0; . + $i)',
    '.spec.metrics | map(.weight)',
    '.a | test("(a+)+")',
    '.a | test("(?=x)")',
    '.a | test("a*b*c*")',
    '.a | test("["; "x")',
    '.spec[',
    'spec.replicas',
    '',
    '.spec.',
    '."a',
    `.${'a'.repeat(1001)}`,
  ])('is said to be so, and selects nothing: %s', (expression) => {
    expect(compileJq(expression)).toMatchObject({ unsupported: expect.stringMatching(/.+/) as string });
    expect(unsupportedExpressions([{ jqPathExpressions: [expression] }])).toEqual([
      { expression, reason: expect.any(String) as string },
    ]);
    expect(select(expression)).toEqual([]);
  });

  it('is never thrown about', () => {
    const words = fc.constantFrom(
      '.',
      '[',
      ']',
      '(',
      ')',
      '|',
      ',',
      'select',
      'a',
      '"b"',
      '0',
      '==',
      'and',
      'not',
      '?',
      '..',
      'test',
      ';',
      '-',
      '{',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 15 }), (parts) => void select(parts.join(''))),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.string(), (text) => void select(text)));
  });

  it('includes pointers that are none', () => {
    expect(unsupportedExpressions([{ jsonPointers: ['spec/replicas', '/spec'] }])).toEqual([
      { expression: 'spec/replicas', reason: 'it does not start with /' },
    ]);
  });
});

describe('ignored fields', () => {
  const rules: IgnoreRule[] = [
    {
      group: 'apps',
      kind: 'Deployment',
      jsonPointers: ['/spec/replicas', '/metadata/annotations/example.com~1a', '/nothing/here', '/spec/metrics/0'],
      jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "sidecar")'],
    },
  ];

  it('are left out of a copy, list elements by their first positions', () => {
    const copy = withoutIgnored(rules, deployment, undefined);
    expect(copy).toMatchObject({
      metadata: { annotations: { other: 'y' } },
      spec: { metrics: [{ type: 'Pods' }], template: { spec: { containers: [{ name: 'app' }] } } },
    });
    expect(copy['spec']).not.toHaveProperty('replicas');
    expect((copy['spec'] as { metrics: unknown[] }).metrics).toHaveLength(1);
    expect(deployment['spec']).toHaveProperty('replicas', 2);
  });

  it('cost no copy where rules exclude nothing', () => {
    expect(withoutIgnored([{ jsonPointers: ['/x'] }], deployment, undefined)).toBe(deployment);
  });

  it('never take the whole object away', () => {
    expect(ignoredPaths([{ jsonPointers: [''], jqPathExpressions: ['.'] }], deployment, undefined)).toEqual([]);
  });

  it('of managers are those that they own in the live object', () => {
    const live = {
      ...deployment,
      metadata: {
        ...deployment.metadata,
        managedFields: [
          {
            manager: 'autoscaler',
            fieldsV1: {
              'f:spec': {
                'f:replicas': {},
                'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"sidecar"}': { '.': {}, 'f:image': {} } } } },
              },
            },
          },
          { manager: 'finalizer', fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:other': {} } } } },
        ],
      },
    } as unknown as KubeObject;
    const found = ignoredPaths([{ managedFieldsManagers: ['autoscaler'] }], deployment, live).map(pointerOf);
    expect(found).toEqual(['/spec/replicas', `${containers}/1/image`]);
  });
});

describe('applying with RespectIgnoreDifferences', () => {
  const live = { ...structuredClone(deployment) } as KubeObject;
  (live['spec'] as { replicas: number }).replicas = 7;
  (
    live['spec'] as unknown as { template: { spec: { containers: { image: string }[] } } }
  ).template.spec.containers.reverse();
  (
    live['spec'] as unknown as { template: { spec: { containers: { image: string }[] } } }
  ).template.spec.containers[0]!.image = 'proxy:2';
  const rules: IgnoreRule[] = [
    {
      group: 'apps',
      kind: 'Deployment',
      jsonPointers: ['/spec/replicas', '/metadata/annotations/added', '/spec/metrics/1/weight'],
      jqPathExpressions: ['.spec.template.spec.containers[] | select(.name=="sidecar") | .image'],
    },
  ];

  it('keeps the live values, elements found by their key', () => {
    const applied = respectIgnored(rules, deployment, live);
    expect(applied).toMatchObject({
      spec: {
        replicas: 7,
        template: {
          spec: {
            containers: [
              { name: 'app', image: 'app:1' },
              { name: 'sidecar', image: 'proxy:2' },
            ],
          },
        },
      },
    });
    expect(deployment['spec']).toHaveProperty('replicas', 2);
  });

  it('takes over what only the live object has, and leaves out what it lacks', () => {
    const other = structuredClone(live);
    other.metadata.annotations = { added: 'z' };
    delete (other['spec'] as { replicas?: number }).replicas;
    const applied = respectIgnored(rules, deployment, other);
    expect(applied.metadata.annotations).toEqual({ 'example.com/a': 'x', other: 'y', added: 'z' });
    expect(applied['spec']).not.toHaveProperty('replicas');
  });

  it('changes nothing of a creation, nor where no rule is for the object', () => {
    expect(respectIgnored(rules, deployment, undefined)).toBe(deployment);
    expect(respectIgnored([{ kind: 'Pod', jsonPointers: ['/spec'] }], deployment, live)).toBe(deployment);
    expect(rulesFor(undefined, id)).toEqual([]);
  });
});
