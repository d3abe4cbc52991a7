import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verbs } from '#cli/verbs.ts';
import { root, sourceFiles } from './source-tree.ts';

const documents = globSync('**/*.md', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|\.hawser|fixtures)(\/|$)/.test(path),
})
  .toSorted()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const readme = documents.find(({ path }) => path === 'README.md')?.text ?? '';
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** Read by the tools of others, or set by us for our own children. */
const notOurs = new Set(['PATH', 'HOME', 'USER', 'TERM', 'HAWSER_TEST_SUMMARY']);

describe('documents', () => {
  it('link to what is there', () => {
    const dead = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );

    expect(dead).toEqual([]);
  });

  it('name folders and files that are there', () => {
    const areas = /^(shared|functions|agent|cli|dashboard|infra|localstack|test)\/[\w./-]*$/;
    const missing = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/`([^`\s]+)`/g)]
        .map((match) => match[1] ?? '')
        .filter((name) => areas.test(name) && !/[A-Z]{3,}|…/.test(name) && !existsSync(join(root, name)))
        .map((name) => `${path}: ${name}`),
    );

    expect(missing).toEqual([]);
  });

  it('use scripts of package.json', () => {
    const used = documents.flatMap(({ text }) =>
      [...text.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? ''),
    );

    expect(used.filter((name) => !(name in manifest.scripts))).toEqual([]);
    expect(used.length).toBeGreaterThan(5);
  });

  it('use verbs that hawser has', () => {
    const known = new Set(verbs.map(({ name }) => name));
    const used = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/(?:^|`|\|\s|npx )hawser ([a-z]+)/gm)].map((match) => ({ path, verb: match[1] ?? '' })),
    );

    expect(used.filter(({ verb }) => !known.has(verb))).toEqual([]);
    expect(used.length).toBeGreaterThan(20);
  });

  it('list every variable that is read from the environment, and no other', () => {
    const read = new Set(
      sourceFiles()
        .filter(({ path }) => !/^test\/(?!runner|bench)/.test(path))
        .flatMap(({ text }) => [...text.matchAll(/env(?:ironment)?\[['"]([A-Z][A-Z_]+)['"]\]|\b(HAWSER_[A-Z_]+)\b/g)])
        .map((match) => match[1] ?? match[2] ?? '')
        .filter((name) => !notOurs.has(name)),
    );
    const section = /^## Environment$([\s\S]*?)^## /m.exec(readme)?.[1] ?? '';
    const listed = new Set(
      [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) =>
        [...(row[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map((match) => match[1] ?? ''),
      ),
    );

    expect(
      [...read].filter((name) => !listed.has(name)),
      'not in the README',
    ).toEqual([]);
    expect(
      [...listed].filter((name) => !read.has(name)),
      'read by nobody',
    ).toEqual([]);
  });

  it('show a picture only if it is there', () => {
    expect(readme.includes('dashboard/screenshot.png')).toBe(existsSync(join(root, 'dashboard/screenshot.png')));
  });
});

describe('the repository', () => {
  it('shows nothing at its top but what a newcomer needs', () => {
    const allowed = [
      'agent',
      'cli',
      'dashboard',
      'dist',
      'functions',
      'infra',
      'localstack',
      'node_modules',
      'shared',
      'test',
    ];
    const files = ['CONTRIBUTING.md', 'LICENSE', 'README.md', 'package-lock.json', 'package.json', 'tsconfig.json'];

    expect(globSync('*', { cwd: root }).filter((name) => ![...allowed, ...files].includes(name))).toEqual([]);
  });

  it('carries the whole licence', () => {
    const licence = readFileSync(join(root, 'LICENSE'), 'utf8');

    expect(licence).toContain('Apache License');
    expect(licence).toContain('END OF TERMS AND CONDITIONS');
  });

  it('pins every dependency to one version', () => {
    const { dependencies, devDependencies } = manifest as unknown as Record<string, Record<string, string>>;
    const ranges = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );

    expect(ranges).toEqual([]);
  });
});
