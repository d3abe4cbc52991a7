import { describe, expect, it } from 'vitest';
import { renderSummary, total, type TierLine } from '#test/runner/summary.ts';
import { judge } from '#test/runner/run-vitest.ts';

const line = (rest: Partial<TierLine>): TierLine => ({
  name: 'unit',
  passed: 0,
  failed: 0,
  skipped: 0,
  seconds: 1,
  note: '',
  failures: [],
  skips: [],
  ...rest,
});

describe('the summary', () => {
  it('ends with the sum alone on its line', () => {
    const text = renderSummary([line({ passed: 3, failed: 1 }), line({ name: 'cluster', passed: 2, skipped: 4 })]);

    expect(text.split('\n').at(-1)).toBe('5 passed, 1 failed, 4 skipped');
    expect(total([])).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });

  it('has one line for each tier, with counts and seconds', () => {
    const text = renderSummary([line({ passed: 12, seconds: 3.456, note: 'no tests in it' })]);

    expect(text).toContain('unit    12 passed     0 failed     0 skipped     3.5 s  no tests in it');
  });

  it('names what failed, and why something was skipped, also when nobody said why', () => {
    const skips = [
      { name: 'a', reason: 'no space left to mount' },
      { name: 'b', reason: '' },
    ];
    const text = renderSummary([line({ failed: 1, failures: ['x.test.ts > breaks'], skipped: 2, skips })]);

    expect(text).toContain('Failed\n  unit: x.test.ts > breaks');
    expect(text).toContain('unit: a: no space left to mount');
    expect(text).toContain('unit: b: no reason given');
  });
});

describe('the verdict on a run of vitest', () => {
  const tier = { limitMinutes: 5 };
  const good = { passed: 2, failed: 0, skipped: 0, files: 1, failures: [], skips: [] };

  it('is what the reporter counted when all went well', () => {
    expect(judge(tier, good, 0, false)).toEqual(good);
  });

  it('fails where vitest ended badly although no test failed', () => {
    expect(judge(tier, good, 1, false)).toMatchObject({ passed: 2, failed: 1, failures: ['vitest ended with 1'] });
    expect(judge(tier, good, undefined, false).failures).toEqual(['vitest ended with a signal']);
  });

  it('does not count a failure twice', () => {
    expect(judge(tier, { ...good, failed: 1, failures: ['x'] }, 1, false).failed).toBe(1);
  });

  it('fails where there is no result, or the time is over', () => {
    expect(judge(tier, undefined, 0, false)).toMatchObject({ failed: 1 });
    expect(judge(tier, good, undefined, true).failures).toEqual(['ended after its limit of 5 minutes']);
  });
});
