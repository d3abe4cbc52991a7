import { describe, expect, it } from 'vitest';
import { readSource, sourceFiles, type SourceFile } from './source-tree.ts';

const limits = { file: 300, function: 60, component: 90, factory: 160 };

/** What is larger, and why that is better than splitting it. */
const larger: Record<string, string> = {};

const sources = sourceFiles().filter((file) => !file.path.startsWith('test/'));
const tests = sourceFiles().filter((file) => file.path.startsWith('test/'));

describe('sizes (lines of code, without blank lines and comments)', () => {
  it(`keeps files within ${limits.file} lines`, () => {
    const found = sources.filter((file) => file.lines > limits.file && !(file.path in larger));

    expect(found.map((file) => `${file.path} has ${file.lines} lines: split it by what its parts do`)).toEqual([]);
  });

  it(`keeps functions within ${limits.function} lines, components within ${limits.component}, factories within ${limits.factory}`, () => {
    expect(
      sources
        .flatMap((file) => oversized(file))
        .filter(([key]) => !(key in larger))
        .map(([, problem]) => problem),
    ).toEqual([]);
  });

  it('gives exceptions only to what needs them', () => {
    const needed = sources.flatMap((file) => [
      ...(file.lines > limits.file ? [file.path] : []),
      ...oversized(file).map(([key]) => key),
    ]);

    expect(Object.keys(larger).filter((key) => !needed.includes(key))).toEqual([]);
    expect(Object.entries(larger).filter(([, reason]) => reason.length < 20)).toEqual([]);
    expect(Object.keys(larger).length).toBeLessThanOrEqual(8);
  });

  it('keeps the usual file and function small', () => {
    const lines = sources.map((file) => file.lines);
    const functions = sources.flatMap((file) =>
      file.functions.filter(({ name }) => name !== 'anonymous').map(({ ownLines }) => ownLines),
    );
    const share = tests.reduce((sum, file) => sum + file.lines, 0) / lines.reduce((sum, count) => sum + count, 0);
    console.log(
      `${sources.length} source files: median ${quantile(lines, 0.5)} lines, 90 % within ${quantile(lines, 0.9)}; ` +
        `${functions.length} named functions: median ${quantile(functions, 0.5)}, 90 % within ${quantile(functions, 0.9)}; ` +
        `test code ${share.toFixed(2)} times the source`,
    );

    expect(quantile(lines, 0.5)).toBeLessThanOrEqual(100);
    expect(quantile(lines, 0.9)).toBeLessThanOrEqual(220);
    expect(quantile(functions, 0.5)).toBeLessThanOrEqual(12);
    expect(quantile(functions, 0.9)).toBeLessThanOrEqual(35);
  });

  it('counts what is code', () => {
    const text =
      '/* a\n b */\nfunction outer() {\n\n  // why\n  function inner() {\n    return 1;\n  }\n  return inner();\n}\n';
    const file = readSource('x.ts', text);

    expect(file.lines).toBe(6);
    expect(file.functions).toEqual([
      { name: 'outer', line: 3, lines: 6, ownLines: 3 },
      { name: 'inner', line: 6, lines: 3, ownLines: 3 },
    ]);
  });
});

function oversized(file: SourceFile): [key: string, problem: string][] {
  const own = file.path.endsWith('.tsx') ? limits.component : limits.function;
  return file.functions
    .filter((fn) => fn.ownLines > own || fn.lines > limits.factory)
    .map((fn) => [
      `${file.path} ${fn.name}`,
      `${file.path}:${fn.line} ${fn.name} has ${fn.ownLines} lines (${fn.lines} with the functions inside): split it`,
    ]);
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? 0;
}
