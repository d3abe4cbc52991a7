import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCycles } from './cycles.ts';
import { judgeImport, mayExportDefault, mayReadEnvironment, rules } from './rules.ts';
import { readSource, root, sourceFiles } from './source-tree.ts';

const files = sourceFiles();
const imports = files.flatMap((file) => file.imports);

describe('boundaries', () => {
  it.each(rules)('$name', (rule) => {
    const found = imports.flatMap(({ from, to, line }) => {
      const problem = judgeImport(rule, from, to);
      return problem === undefined ? [] : [`${from}:${line}: ${problem}`];
    });

    expect(found).toEqual([]);
  });

  it.each(rules)('notices a breach of «$name»', (rule) => {
    expect(judgeImport(rule, ...rule.breaks)).toContain(rule.comment);
    expect(
      files.some((file) => new RegExp(rule.from).test(file.path)),
      'the rule chooses no file',
    ).toBe(true);
  });
});

describe('imports', () => {
  it('resolve to a file of the repository', () => {
    const local = imports.filter(({ specifier }) => /^[.#]/.test(specifier));

    expect(local.filter(({ to }) => !existsSync(join(root, to))).map(say)).toEqual([]);
    expect(local.length).toBeGreaterThan(500);
  });

  it('are relative inside an area and go through # across areas', () => {
    const climbing = imports.filter(({ from, to, specifier }) => specifier.startsWith('.') && area(from) !== area(to));
    const roundabout = imports.filter(({ from, to, specifier }) => {
      const inside =
        area(from) === 'functions' || area(from) === 'test' ? stage(from) === stage(to) : area(from) === area(to);
      return specifier.startsWith('#') && inside;
    });

    expect(climbing.map(say)).toEqual([]);
    expect(roundabout.map(say)).toEqual([]);
  });

  it('name the Node modules with node:', () => {
    expect(
      imports.filter(({ to, specifier }) => to.startsWith('node:') && !specifier.startsWith('node:')).map(say),
    ).toEqual([]);
  });

  it('from ports are types alone: nothing of a port is left at run time', () => {
    const runtime = imports.filter(
      ({ from, to, typeOnly }) => from.startsWith('shared/ports/') && !typeOnly && to !== 'npm:zod',
    );

    expect(runtime.map(say)).toEqual([]);
  });

  it('go round in no circle while loading', () => {
    const edges = new Map<string, string[]>();
    for (const file of files) edges.set(file.path, []);
    for (const { from, to, typeOnly, later } of imports) {
      if (!typeOnly && !later && !to.includes(':')) edges.get(from)?.push(to);
    }

    expect(findCycles(edges)).toEqual([]);
  });
});

describe('files', () => {
  it('read the environment in composition roots only', () => {
    const found = files.filter((file) => !mayReadEnvironment.test(file.path) && file.environmentReads.length > 0);

    expect(
      found.map((file) => `${file.path}:${file.environmentReads[0]} reads process.env: take the value as an argument`),
    ).toEqual([]);
  });

  it('have no default export, so that a thing has one name everywhere', () => {
    expect(
      files.filter((file) => file.hasDefaultExport && !mayExportDefault.test(file.path)).map((file) => file.path),
    ).toEqual([]);
  });

  it('are no barrels: import from the file that has it', () => {
    expect(
      files.filter((file) => file.isBarrel || /(^|\/)index\.tsx?$/.test(file.path)).map((file) => file.path),
    ).toEqual([]);
  });

  it('are named in kebab-case', () => {
    const named = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.tsx?$/;

    expect(files.filter((file) => !named.test(file.path.split('/').at(-1) ?? '')).map((file) => file.path)).toEqual([]);
  });
});

describe('the reader of sources', () => {
  it('sees every way to import, and what is left of it at run time', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import { type B } from './b.ts';",
      "export * from '#shared/c.ts';",
      "const later = () => import('yaml');",
      "type D = import('./d.ts').D;",
      "// import './not.ts'",
    ].join('\n');

    const found = readSource('cli/x.ts', text).imports.map(({ to, typeOnly, line }) => [to, typeOnly, line]);

    expect(found).toEqual([
      ['cli/a.ts', true, 1],
      ['cli/b.ts', true, 2],
      ['shared/c.ts', false, 3],
      ['npm:yaml', false, 4],
      ['cli/d.ts', true, 5],
    ]);
  });

  it('sees environment reads, default exports and barrels', () => {
    expect(readSource('x.ts', '\nconst a = process.env["A"];').environmentReads).toEqual([2]);
    expect(readSource('x.ts', 'export default 1;').hasDefaultExport).toBe(true);
    expect(readSource('x.ts', "export { a } from './a.ts';\nexport * from './b.ts';").isBarrel).toBe(true);
    expect(readSource('x.ts', "export { a } from './a.ts';\nexport const b = 1;").isBarrel).toBe(false);
  });

  it('finds circles', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
    ]);

    expect(findCycles(edges)).toEqual([['c', 'b', 'a']]);
  });
});

function area(path: string): string {
  return path.split('/')[0] ?? '';
}

/** A folder in functions/ is an area of its own; test/ and functions/ may also go through # from one folder to another. */
function stage(path: string): string {
  return path.split('/').slice(0, 2).join('/');
}

function say({ from, line, specifier }: { from: string; line: number; specifier: string }): string {
  return `${from}:${line}: ${specifier}`;
}
