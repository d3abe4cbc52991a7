import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { age, span } from '#cli/output/age.ts';
import { createColour, wantsColour } from '#cli/output/colour.ts';
import { manyLines, oneLine, safeJson } from '#cli/output/escape.ts';
import { cut, displayWidth, table } from '#cli/output/table.ts';
import { unifiedDiff } from '#cli/output/unified-diff.ts';
import { readYaml, toYaml } from '#cli/output/yaml.ts';

const plain = createColour(false);
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('a table', () => {
  const columns = [
    { header: 'NAME', of: (row: { name: string; note: string }) => row.name },
    { header: 'NOTE', flexible: true, of: (row: { name: string; note: string }) => row.note },
    { header: 'MORE', wide: true, of: () => 'more' },
  ];

  it('aligns columns without borders, and shows a dash for nothing', () => {
    const rows = [
      { name: 'podinfo', note: '' },
      { name: 'db', note: 'x' },
    ];
    expect(table(rows, columns, { colour: plain })).toBe('NAME      NOTE\npodinfo   -\ndb        x\n');
    expect(table(rows.slice(1), columns, { colour: plain, wide: true, noHeader: true })).toBe('db   x   more\n');
  });

  it('counts columns of a terminal, not characters', () => {
    expect(displayWidth('日本')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('\u001b[31mred\u001b[39m')).toBe(3);
    expect(table([{ name: '日本', note: 'x' }], columns, { colour: plain, noHeader: true })).toBe('日本   x\n');
  });

  it('cuts only flexible columns, where the terminal is too narrow', () => {
    const rows = [{ name: 'a-long-name', note: 'a message that does not fit' }];
    const text = table(rows, columns, { colour: plain, width: 30, noHeader: true });
    expect(text).toBe('a-long-name   a message that …\n');
    expect(displayWidth(text.trimEnd())).toBe(30);
    expect(cut('日本語', 4)).toBe('日…');
  });

  it('never lets text of others reach the terminal as commands (NT-135)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = table([{ name: text, note: text }], columns, { colour: plain, noHeader: true });
        expect(line.slice(0, -1)).not.toMatch(control);
        expect(line.slice(0, -1)).not.toContain('\n');
      }),
    );
  });
});

describe('escaping (NT-135)', () => {
  it('makes control characters visible and keeps the rest', () => {
    expect(oneLine('a\u001b[31mb\r\nc\td\u009b\u202e')).toBe('a\\u001b[31mb c d\\u009b\\u202e');
    expect(manyLines('a\n\tb\u0007')).toBe('a\n\tb\\u0007');
    expect(oneLine('grün ✓ 日本')).toBe('grün ✓ 日本');
  });

  it('leaves JSON the same JSON, and YAML the same YAML', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = { [text]: text, list: [text] };
        const json = safeJson(JSON.stringify(value, null, 2));
        expect(JSON.parse(json)).toEqual(value);
        expect(json).not.toMatch(control);
        const yaml = toYaml({ text, list: [text] });
        expect(yaml).not.toMatch(control);
        expect(parse(yaml, { version: '1.1' })).toEqual({ text, list: [text] });
      }),
      { numRuns: 500 },
    );
  });
});

describe('ages', () => {
  it.each([
    [0, '0s'],
    [45_000, '45s'],
    [119_000, '119s'],
    [180_000, '3m'],
    [200_000, '3m20s'],
    [3_600_000, '60m'],
    [5 * 3_600_000, '5h'],
    [26 * 3_600_000, '26h'],
    [4 * 86_400_000, '4d'],
    [400 * 86_400_000, '400d'],
  ])('writes %d ms as kubectl does: %s', (milliseconds, text) => {
    expect(span(milliseconds)).toBe(text);
  });

  it('shows a dash for no time, and nothing negative for clocks that differ', () => {
    expect(age(undefined, 0)).toBe('-');
    expect(age('nonsense', 0)).toBe('-');
    expect(age(new Date(5000).toISOString(), 0)).toBe('0s');
  });
});

describe('colours', () => {
  it('are used on a terminal only, unless somebody says otherwise', () => {
    expect(wantsColour({}, true, false)).toBe(true);
    expect(wantsColour({}, false, false)).toBe(false);
    expect(wantsColour({ NO_COLOR: '1' }, true, false)).toBe(false);
    expect(wantsColour({ FORCE_COLOR: '1' }, true, true)).toBe(false);
    expect(wantsColour({ FORCE_COLOR: '1' }, false, false)).toBe(true);
    expect(wantsColour({ TERM: 'dumb' }, true, false)).toBe(false);
    expect(createColour(true).paint('bad', 'x')).toBe('\u001b[31mx\u001b[39m');
  });
});

describe('a unified diff', () => {
  it('shows hunks with three lines around them, as diff -u does', () => {
    const before = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
    const after = before.with(1, 'changed').toSpliced(15, 1);
    const lines = unifiedDiff(before.join('\n'), after.join('\n'));
    expect(lines.filter(({ kind }) => kind === 'hunk').map(({ text }) => text)).toEqual([
      '@@ -1,5 +1,5 @@',
      '@@ -13,7 +13,6 @@',
    ]);
    expect(lines.filter(({ kind }) => kind !== 'same' && kind !== 'hunk').map(({ text }) => text)).toEqual([
      'line 2',
      'changed',
      'line 16',
    ]);
  });

  it('of nothing to something has the header of a new file', () => {
    expect(unifiedDiff('', 'a\nb\n')[0]?.text).toBe('@@ -0,0 +1,2 @@');
    expect(unifiedDiff('a\n', 'a\n')).toEqual([]);
  });

  it('leads from the one to the other, whatever they are', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = unifiedDiff(before.join('\n'), after.join('\n'), 100).filter(({ kind }) => kind !== 'hunk');
        if (before.join('\n') === after.join('\n')) return;
        expect(lines.filter(({ kind }) => kind !== 'added').map(({ text: line }) => line)).toEqual(before);
        expect(lines.filter(({ kind }) => kind !== 'removed').map(({ text: line }) => line)).toEqual(after);
      }),
    );
  });
});

describe('reading YAML', () => {
  it('reads as kubectl does: YAML 1.1 booleans and octal, no dates, no base 60', () => {
    const text =
      'yes: on\nmode: 0755\ntime: 2026-01-02\nbase: 1:30\nport: "80"\nmerge: &m { a: 1 }\nuse: { <<: *m, b: 2 }\n';
    expect(readYaml(text)[0]?.value).toEqual({
      true: true,
      mode: 493,
      time: '2026-01-02',
      base: '1:30',
      port: '80',
      merge: { a: 1 },
      use: { a: 1, b: 2 },
    });
  });

  it('takes many documents and JSON, leaves empty ones out, and knows the lines', () => {
    expect(readYaml('---\n---\na: 1\n---\n# nothing\n---\nb: 2\n')).toEqual([
      { value: { a: 1 }, line: 3 },
      { value: { b: 2 }, line: 7 },
    ]);
    expect(readYaml('spec: {path: .}\nmode: 0o17\n')[0]?.value).toEqual({ spec: { path: '.' }, mode: 15 });
    expect(readYaml('{"a": [1, 2]}')[0]?.value).toEqual({ a: [1, 2] });
    expect(() => readYaml('a: [1')).toThrow(/line 1/);
  });

  it('quotes what YAML 1.1 would read as something else', () => {
    const values = { a: 'yes', b: '0755', c: '2026-01-02', d: 'null', e: '1e3', f: 'plain' };
    const text = toYaml(values);
    expect(text).toContain('a: "yes"');
    expect(text).toContain('f: plain');
    expect(readYaml(text)[0]?.value).toEqual(values);
  });
});
