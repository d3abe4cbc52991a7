import { expect, it } from 'vitest';
import { inDependencyOrder } from '#functions/plan/dependency-order.ts';

const one = (id: string, ...dependsOn: string[]) => ({ application: { id, dependsOn } });
const order = (...candidates: ReturnType<typeof one>[]) =>
  inDependencyOrder(candidates).map((item) => item.application.id);

it('applications come after those that they depend on', () => {
  expect(order(one('top', 'middle'), one('middle', 'base', 'elsewhere'), one('other'), one('base'))).toEqual([
    'base',
    'middle',
    'top',
    'other',
  ]);
});

it('a circle of dependencies loses nobody', () => {
  expect(order(one('a', 'b'), one('b', 'c'), one('c', 'a')).toSorted()).toEqual(['a', 'b', 'c']);
});
