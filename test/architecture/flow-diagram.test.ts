import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flowDiagram, flowSection, queueTable, withFlowSection } from '#infra/build/flow-diagram.ts';
import { calls, flow } from '#shared/flow.ts';
import { root } from './source-tree.ts';

describe('the flow', () => {
  it('is in the README as shared/flow.ts has it (else: npm run docs)', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');

    expect(withFlowSection(readme)).toBe(readme);
  });

  it('is drawn whole: every queue from every sender, and every call', () => {
    const arrows = flowDiagram()
      .split('\n')
      .filter((line) => /==>|\.->/.test(line));

    expect(arrows).toHaveLength(flow.reduce((sum, queue) => sum + queue.from.length, 0) + calls.length);
    for (const queue of flow)
      expect(queueTable()).toContain(`| \`${queue.name}\` | ${queue.from.join(', ')} | ${queue.to} |`);
  });

  it('draws boxes for exactly the stages that take part', () => {
    const stages = new Set([
      ...flow.flatMap((queue) => [...queue.from, queue.to]),
      ...calls.flatMap(({ from, to }) => [from, to]),
    ]);
    const boxes = [...flowDiagram().matchAll(/^ {2}([a-z-]+)\["/gm)].map((match) => match[1]?.replace('-', ' '));

    expect(boxes.toSorted()).toEqual([...stages].toSorted());
  });

  it('gives a receiver six times what a message may take, and tries more than once', () => {
    for (const queue of flow) {
      expect(queue.visibilitySeconds, queue.name).toBeGreaterThanOrEqual(60);
      expect(queue.maxReceives, queue.name).toBeGreaterThan(1);
    }
  });

  it('refuses a README without its marks', () => {
    expect(() => withFlowSection('# Hawser')).toThrow('lacks the lines');
    expect(withFlowSection(`a\n${flowSection().replace('flowchart TD', 'old')}\nb`)).toBe(`a\n${flowSection()}\nb`);
  });
});
