import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { describe, expect, it } from 'vitest';
import { verbs } from '#cli/verbs.ts';
import { root } from './source-tree.ts';

/** Words that mean what another word of the README's table means already. */
const synonyms: [wrong: RegExp, right: string][] = [
  [/\btenants?\b/i, 'organisation'],
  [/\bworkspaces?\b/i, 'project'],
  [/\b(deployment unit|release unit)s?\b/i, 'application'],
  [/\b(target|remote|destination) clusters?\b/i, 'cluster'],
  [/\bdeployed version\b/i, 'revision'],
  [/\b(configuration|config) drift\b/i, 'drift'],
  [/\b(out of date|un-?synced|not synced|desynced)\b/i, 'OutOfSync'],
  [/\b(unhealthy status|broken status)\b/i, 'Degraded'],
  [/\b(manifest bundle|release artifact|rendered bundle)s?\b/i, 'snapshot'],
  [/\bserial numbers?\b/i, 'generation'],
];

/** Text of the page that people read: JSX text, and strings with a space in them. */
function pageTexts(): { where: string; text: string }[] {
  return globSync('dashboard/**/*.tsx', { cwd: root }).flatMap((path) =>
    textsOf(path, readFileSync(join(root, path), 'utf8')),
  );
}

function textsOf(path: string, source: string): { where: string; text: string }[] {
  const found: { where: string; text: string }[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (node === null || typeof node !== 'object' || Array.isArray(node)) return;
    const { type, value, start } = node as { type?: string; value?: unknown; start?: number };
    const isText = type === 'JSXText' || (type === 'Literal' && typeof value === 'string' && value.includes(' '));
    if (isText) found.push({ where: `${path}:${source.slice(0, start).split('\n').length}`, text: String(value) });
    Object.values(node).forEach(visit);
  };
  visit(parseSync(path, source).program);
  return found;
}

function judge(texts: readonly { where: string; text: string }[]): string[] {
  return texts.flatMap(({ where, text }) =>
    synonyms.flatMap(([wrong, right]) => {
      const word = wrong.exec(text)?.[0];
      return word === undefined ? [] : [`${where}: «${word}»: say ${right}`];
    }),
  );
}

describe('the vocabulary', () => {
  it('of the page is that of the README', () => {
    const texts = pageTexts();

    expect(judge(texts)).toEqual([]);
    expect(texts.length).toBeGreaterThan(100);
  });

  it('of the command line is that of the README', () => {
    expect(judge(verbs.map(({ name, summary }) => ({ where: name, text: summary })))).toEqual([]);
  });

  it('of the documents is that of the README', () => {
    const texts = ['README.md', 'CONTRIBUTING.md', 'test/README.md', 'functions/api/README.md'].flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        // The table of words says what an organisation is: the tenant.
        .filter((line) => !line.startsWith('| organisation, project |') && !/^\d+\. \*\*Tenant and cluster/.test(line))
        .map((text, index) => ({ where: `${path}:${index + 1}`, text })),
    );

    expect(judge(texts)).toEqual([]);
  });

  it('is watched', () => {
    const texts = textsOf('x.tsx', 'const a = <p title="The workspace of it">This is not synced</p>;');

    expect(judge(texts)).toEqual(['x.tsx:1: «workspace»: say project', 'x.tsx:1: «not synced»: say OutOfSync']);
  });
});
