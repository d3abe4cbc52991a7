import { describe, expect, it } from 'vitest';
import { figure, ratioOf, renderRows, verdictOf } from '#test/bench/row.ts';

const row = { name: 'push → applied', value: 0.15, unit: 's' };

describe('a figure', () => {
  it('is within its budget up to the budget, and over beyond it', () => {
    expect(verdictOf({ ...row, budget: 0.15 })).toBe('ok');
    expect(verdictOf({ ...row, budget: 0.14 })).toBe('over');
    expect(verdictOf(row)).toBe('');
  });

  it('is over a budget of nothing as soon as there is something', () => {
    expect(verdictOf({ ...row, value: 0, budget: 0 })).toBe('ok');
    expect(verdictOf({ ...row, value: 1, budget: 0 })).toBe('over');
    expect(ratioOf({ ...row, value: 1, budget: 0 })).toBe(Infinity);
  });

  it('is never within its budget where it could not be measured', () => {
    expect(verdictOf({ ...row, value: Number.NaN, budget: 1 })).toBe('over');
    expect(verdictOf({ ...row, value: Number.NaN, atLeast: 1 })).toBe('over');
  });

  it('may have to be reached instead, as a rate', () => {
    expect(verdictOf({ ...row, value: 900, unit: '1/s', atLeast: 1000 })).toBe('over');
    expect(ratioOf({ ...row, value: 2000, atLeast: 1000 })).toBe(0.5);
  });

  it('is written with three digits and no exponent', () => {
    expect([0.123456, 1234567.8, 12, 0.0004321, Infinity].map(figure)).toEqual([
      '0.123',
      '1,234,568',
      '12',
      '0.000432',
      'Infinity',
    ]);
  });
});

describe('the table', () => {
  it('has name, value, unit, budget, ratio, verdict and note in columns', () => {
    const text = renderRows([{ ...row, budget: 0.2, note: 'Flux 0.17 s' }]);

    expect(text.split('\n')).toEqual([
      'FIGURE          VALUE  UNIT  BUDGET  RATIO      NOTE',
      'push → applied   0.15  s      ≤ 0.2   0.75  ok  Flux 0.17 s',
    ]);
  });
});
