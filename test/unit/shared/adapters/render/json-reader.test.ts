import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonStream } from '#shared/adapters/render/json-reader.ts';
import { canonicalText, treeOf } from '#shared/adapters/render/json-tree.ts';

const canonical = (text: string): string[] => parseJsonStream(text, 100).map(canonicalText);

describe('canonical JSON', () => {
  it('sorts keys by their UTF-8 bytes, keeps number text and drops spaces', () => {
    expect(
      canonical('{ "b": 12345678901234567890, "a": [1.50, -0, 1e2, true, null], "\\ud83d\\ude00": 1, "\\uffee": 2 }'),
    ).toEqual(['{"a":[1.5,0,100,true,null],"b":12345678901234567890,"￮":2,"😀":1}']);
  });

  it('reads values that follow each other, and takes the last of equal keys', () => {
    expect(canonical('{"a":1,"a":2}\n[]')).toEqual(['{"a":2}', '[]']);
  });

  it.each(['{', '{"a":}', '[1,]', '"a', '[01]', 'nul', '{"a" 1}', '"\\x"', '"a\nb"', 'NaN', '1e999'])(
    'refuses %j and says where',
    (text) => {
      expect(() => parseJsonStream(`\n${text}`, 100)).toThrow(/not JSON: line \d/);
    },
  );

  it('refuses to go deeper than it was told', () => {
    expect(() => parseJsonStream('['.repeat(50_000), 100)).toThrow(/deeper than 100/);
  });

  it('agrees with JSON.parse on any JSON that JavaScript can hold', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const [tree = null] = parseJsonStream(text, 1000);
        expect(canonicalText(tree)).toBe(canonicalText(treeOf(JSON.parse(text))));
        expect(JSON.parse(canonicalText(tree))).toEqual(JSON.parse(text.replaceAll(/(?<![\d.eE+-])-0(?![.\d])/g, '0')));
      }),
    );
  });
});
