import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compileGlob } from '#functions/plan/closure/glob.ts';

const names = { separator: true, braces: true };
const anything = { separator: false, braces: true };

describe('globs', () => {
  it.each([
    ['*.yaml', 'a.yaml', true],
    ['*.yaml', 'b/a.yaml', false],
    ['**/*.yaml', 'a.yaml', true],
    ['**/*.yaml', 'b/c/a.yaml', true],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['a/**/z', 'ab/z', false],
    ['a/**', 'a/b/c', true],
    ['{a,b{c,d}}.yaml', 'bd.yaml', true],
    ['{a,b{c,d}}.yaml', 'b.yaml', false],
    ['v[0-9].yaml', 'v7.yaml', true],
    ['v[!0-9].yaml', 'v7.yaml', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a\\*c', 'a*c', true],
    ['a\\*c', 'abc', false],
    ['', '', true],
  ])('%j against %j gives %s where names have slashes between them', (pattern, text, expected) => {
    expect(compileGlob(pattern, names)(text)).toBe(expected);
  });

  it('lets a star match slashes where there is no separator', () => {
    expect(compileGlob('*.yaml', anything)('b/a.yaml')).toBe(true);
    expect(compileGlob('{*.yml,a*}', anything)('a/b/c')).toBe(true);
  });

  it('takes no pattern and no text for more than it is: a hostile pair ends at once (NT-74, LIM-14)', () => {
    expect(compileGlob('*a'.repeat(60), names)('a'.repeat(50) + 'b'.repeat(400))).toBe(false);
    expect(() => compileGlob('x'.repeat(257), names)).toThrow(/LIM-14/);
    expect(() => compileGlob('{a,b}'.repeat(20), names)).toThrow(/alternatives/);
    expect(() => compileGlob('**/'.repeat(60), names)).toThrow(/alternatives/);
    expect(() => compileGlob('{a', names)).toThrow(/without/);
  });

  it('matches every text with itself, escaped', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const escaped = text.replaceAll(/[\\*?[\]{},]/g, (character) => `\\${character}`);
        expect(compileGlob(escaped, names)(text)).toBe(true);
      }),
    );
  });
});
