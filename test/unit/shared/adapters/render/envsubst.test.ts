import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '#shared/adapters/render/envsubst-pattern.ts';
import { requireVariableNames, substituteVariables } from '#shared/adapters/render/envsubst.ts';

const variables = {
  a: 'hello',
  b: 'World/foo/bar',
  empty: '',
  d: 'aXbXc',
  word: 'é日x',
  n: '2',
  path: '/usr/local/bin',
  lines: 'x\ny',
};

describe('variable substitution as Flux does it', () => {
  // Right-hand sides are what github.com/fluxcd/pkg/envsubst 1.8.0 answers.
  it.each([
    ['plain $a text', 'plain $a text'],
    ['${a}', 'hello'],
    ['$${a}', '${a}'],
    ['$$${a}', '$hello'],
    ['${#b}', '13'],
    ['${#word}', '6'],
    ['${a^}', 'Hello'],
    ['${a^^}', 'HELLO'],
    ['${b,}', 'world/foo/bar'],
    ['${b,,}', 'world/foo/bar'],
    ['${a:1}', 'ello'],
    ['${a:1:2}', 'el'],
    ['${a:0:-1}', 'hell'],
    ['${a:9}', ''],
    ['${a:x}', 'hello'],
    ['${path#*/}', 'usr/local/bin'],
    ['${path##*/}', 'bin'],
    ['${path%/*}', '/usr/local'],
    ['${path%%/l*}', '/usr'],
    ['${d/X/-}', 'a-bXc'],
    ['${d//X/-}', 'a-b-c'],
    ['${d//X/}', 'abc'],
    ['${d/#a/z}', 'zXbXc'],
    ['${d/%c/z}', 'aXbXz'],
    ['${b//\\//.}', 'World.foo.bar'],
    ['${nope:=x}', 'x'],
    ['${nope:-x y}', 'x y'],
    ['${nope=x}', 'x'],
    ['${empty:-x}', 'x'],
    ['${a:-x}', 'hello'],
    ['${a:+x}', 'hello'],
    ['${nope:-${a}}', 'hello'],
    ['${nope:-<${a}>}', '<hello>'],
    ['${nope:-}', ''],
    ['${lines}', 'xy'],
    ['a: ${n}\nb: "${a}"\n', 'a: 2\nb: "hello"\n'],
    ['unclosed $', 'unclosed $'],
  ])('turns %j into %j', (text, expected) => {
    expect(substituteVariables(text, variables)).toBe(expected);
  });

  it.each(['${', '${}', '${a', '${a-b}', '${-a}', '${a:}', '${a/x}', '${#a', '${a/}', '${nope:-x', '${a ^}'])(
    'refuses %j',
    (text) => {
      expect(() => substituteVariables(text, variables)).toThrow(/variable substitution failed/);
    },
  );

  it('is strict: a variable without value and without default is an error that names it', () => {
    for (const text of ['${nope}', '${#nope}', '${nope^}', '${nope/a/b}']) {
      expect(() => substituteVariables(text, variables)).toThrow('variable not set (strict mode): "nope"');
    }
  });

  it('leaves any text without a dollar sign as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('$')),
        (text) => substituteVariables(text, variables) === text,
      ),
    );
  });

  it('never lets a value be expanded again', () => {
    expect(substituteVariables('${x}', { x: '${a} $${b}' })).toBe('${a} $${b}');
    expect(substituteVariables('${x//a/b}', { x: 'a$&' })).toBe('b$&');
  });

  it('refuses names that Flux refuses', () => {
    expect(() => requireVariableNames({ a_1: '', _: '' })).not.toThrow();
    for (const name of ['1a', 'a-b', 'a.b', '', '__proto__ '])
      expect(() => requireVariableNames({ [name]: 'x' })).toThrow(/var name is invalid/);
  });
});

describe('shell patterns', () => {
  it.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abcd', false],
    ['?', 'é', true],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['\\*', '*', true],
    ['[', 'a', undefined],
    ['a\\', 'a', undefined],
  ])('%j against %j is %s', (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it('NT-74: takes no longer for nested stars', () => {
    expect(matchesPattern(`${'*a'.repeat(40)}b`, 'a'.repeat(5000))).toBe(false);
  });
});
