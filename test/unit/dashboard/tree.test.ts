import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TreeView } from '#shared/messages/api.ts';
import {
  buildTree,
  countNodes,
  filterTree,
  isTrouble,
  matchesText,
  type TreeNode,
} from '#dashboard/resource-tree/build-tree.ts';
import { layOutTree } from '#dashboard/resource-tree/lay-out-tree.ts';

type Live = TreeView['nodes'][number];
type Resource = TreeView['resources'][number];

const live = (uid: string, owners: string[], more: Partial<Live> = {}): Live => ({
  group: '',
  version: 'v1',
  kind: 'Pod',
  namespace: 'shop',
  name: uid,
  uid,
  owners,
  ...more,
});
const resource = (name: string, more: Partial<Resource> = {}): Resource => ({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  namespace: 'shop',
  name,
  key: `apps/Deployment/shop/${name}`,
  status: 'Synced',
  uid: `uid-${name}`,
  ...more,
});
const tree = (resources: Resource[], nodes: Live[]) => buildTree({ resources, nodes, live: true });
/** Names with those below in brackets. */
const shape = (nodes: readonly TreeNode[]): string =>
  nodes.map((node) => (node.children.length === 0 ? node.name : `${node.name}(${shape(node.children)})`)).join(' ');
const all = (nodes: readonly TreeNode[]): TreeNode[] => nodes.flatMap((node) => [node, ...all(node.children)]);

describe('the tree of an application', () => {
  it('hangs what objects own under their owners, by wave, kind and name', () => {
    const nodes = tree(
      [resource('web'), resource('late', { syncWave: 2 }), resource('api'), resource('first', { syncWave: -1 })],
      [live('pod-b', ['set']), live('set', ['uid-web'], { kind: 'ReplicaSet' }), live('pod-a', ['set'])],
    );
    expect(shape(nodes)).toBe('first api web(set(pod-a pod-b)) late');
  });

  it('leaves what no known object owns at the top, last', () => {
    const nodes = tree([resource('web')], [live('child', ['lost']), live('lost', ['nobody']), live('alone', [])]);
    expect(shape(nodes)).toBe('web alone lost(child)');
  });

  it('shows every object once, whatever its owners claim', () => {
    const uids = fc.constantFrom('a', 'b', 'c', 'd', 'uid-web', 'nobody');
    const nodes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.array(uids, { maxLength: 3 })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(nodes, (given) => {
        const found = all(
          tree(
            [resource('web')],
            given.map(([uid, owners]) => live(uid, owners)),
          ),
        ).map(({ name }) => name);
        expect(found.sort()).toEqual([...new Set(given.map(([uid]) => uid)), 'web'].sort());
      }),
    );
  });

  it('carries the worst health up, and takes an unknown word for none', () => {
    const [web] = tree(
      [resource('web', { health: { status: 'Healthy' } })],
      [
        live('set', ['uid-web'], { health: { status: 'Progressing' } }),
        live('pod', ['set'], { health: { status: 'Degraded', message: 'crash' } }),
        live('odd', ['set'], { health: { status: 'Splendid' } }),
      ],
    );
    expect([web?.health, web?.worst, web?.children[0]?.worst]).toEqual(['Healthy', 'Degraded', 'Degraded']);
    expect(web?.children[0]?.children.map(({ name, health }) => [name, health])).toEqual([
      ['odd', undefined],
      ['pod', 'Degraded'],
    ]);
  });

  it('takes age and info of a declared object from its live one', () => {
    const [web] = tree(
      [resource('web')],
      [live('uid-web', [], { info: '3/3 ready', createdAt: '2026-01-01T00:00:00Z' })],
    );
    expect([web?.info, web?.createdAt, web?.declared]).toEqual(['3/3 ready', '2026-01-01T00:00:00Z', true]);
  });
});

describe('a filtered tree', () => {
  const nodes = tree(
    [resource('web'), resource('api', { status: 'OutOfSync' })],
    [live('set', ['uid-web']), live('pod', ['set'], { health: { status: 'Degraded' } }), live('calm', ['set'])],
  );

  it('keeps the way to what matches and all below it', () => {
    expect(shape(filterTree(nodes, isTrouble))).toBe('api web(set(pod))');
    expect(shape(filterTree(nodes, (node) => matchesText(node, ' DEPLOYMENT shop/WEB ')))).toBe('web(set(calm pod))');
    expect(filterTree(nodes, (node) => matchesText(node, 'nothing'))).toEqual([]);
  });

  it('calls nothing trouble that somebody wanted so', () => {
    const trouble = (more: Partial<Resource>) => isTrouble(tree([resource('web', more)], [])[0] as TreeNode);
    expect([
      trouble({}),
      trouble({ health: { status: 'Suspended' } }),
      trouble({ health: { status: 'Healthy' } }),
    ]).toEqual([false, false, false]);
    expect([
      trouble({ status: 'OutOfSync' }),
      trouble({ requiresPruning: true }),
      trouble({ health: { status: 'Missing' } }),
      trouble({ health: { status: 'Progressing' } }),
    ]).toEqual([true, true, true, true]);
  });
});

describe('the lines of a tree', () => {
  const nodes = tree(
    [resource('api'), resource('web')],
    [live('a', ['uid-api']), live('b', ['uid-api']), live('c', ['b'])],
  );

  it('say depth, place and which rails go on', () => {
    const rows = layOutTree(nodes, () => true);
    expect(
      rows.map(({ node, depth, rails, last, position, siblings }) => [
        node.name,
        depth,
        rails,
        last,
        position,
        siblings,
      ]),
    ).toEqual([
      ['api', 0, [], false, 1, 2],
      ['a', 1, [true], false, 1, 2],
      ['b', 1, [true], true, 2, 2],
      ['c', 2, [true, false], true, 1, 1],
      ['web', 0, [], true, 2, 2],
    ]);
  });

  it('leave out what is folded; what has nothing below it is never open', () => {
    const rows = layOutTree(nodes, (_, depth) => depth > 0);
    expect(rows.map(({ node, expanded }) => [node.name, expanded])).toEqual([
      ['api', false],
      ['web', false],
    ]);
    expect(countNodes(nodes)).toBe(5);
  });
});
