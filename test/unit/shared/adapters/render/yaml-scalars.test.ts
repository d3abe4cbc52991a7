import { describe, expect, it } from 'vitest';
import { plainKey, resolvePlain, unproven } from '#shared/adapters/render/yaml-scalars.ts';

describe('plain YAML scalars', () => {
  it.each([
    ['yes', true],
    ['Off', false],
    ['tRue', 'tRue'],
    ['~', null],
    ['', null],
    ['2024-01-01', '2024-01-01'],
    ['1:30', '1:30'],
    ['100m', '100m'],
    ['1e999', '1e999'],
    ['-foo', '-foo'],
  ])('%j is %j', (source, expected) => {
    expect(resolvePlain(source)).toBe(expected);
  });

  it.each([
    ['0777', '511'],
    ['0o17', '15'],
    ['08', '8'],
    ['0b11', '3'],
    ['0x1F', '31'],
    ['-0xff', '-255'],
    ['1_000', '1000'],
    ['9223372036854775807', '9223372036854775807'],
    ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551616', '18446744073709552000'],
    ['1e21', '1e+21'],
    ['1e-7', '1e-7'],
    ['1.0', '1'],
    ['-0.0', '0'],
    ['.5', '0.5'],
  ])('%j prints as %s', (source, digits) => {
    expect(resolvePlain(source)).toEqual({ digits });
  });

  it.each(['.inf', '-.Inf', '.nan', '<<', '0b-1', '.5_5', '9'.repeat(500)])('%.20j is left to kubectl', (source) => {
    expect(resolvePlain(source)).toBe(unproven);
  });

  it('makes keys of words and integers, and leaves null, float and large keys to kubectl', () => {
    expect(['yes', '0x1F', 'a', '-5', '2024-01-01'].map(plainKey)).toEqual(['true', '31', 'a', '-5', '2024-01-01']);
    expect(['~', '1.5', '18446744073709551615', '.nan'].map(plainKey)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
