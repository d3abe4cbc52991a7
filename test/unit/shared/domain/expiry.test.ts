import { describe, expect, it } from 'vitest';
import { parseExpiry } from '#shared/domain/expiry.ts';

const now = Date.parse('2026-03-01T12:00:00.000Z');

describe('an expiry', () => {
  it.each([
    ['90s', '2026-03-01T12:01:30.000Z'],
    ['12h', '2026-03-02T00:00:00.000Z'],
    ['1d12h', '2026-03-03T00:00:00.000Z'],
    ['2w', '2026-03-15T12:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2027-01-31T18:00Z', '2027-01-31T18:00:00.000Z'],
    ['2027-01-31T18:00:00.5+02:00', '2027-01-31T16:00:00.500Z'],
  ])('of %s is %s', (text, iso) => {
    expect(new Date(parseExpiry(text, now)).toISOString()).toBe(iso);
  });

  it.each([
    ['', /neither/],
    ['90', /neither/],
    ['1.5d', /neither/],
    ['-1d', /neither/],
    ['1y', /neither/],
    ['2027-02-29', /neither/],
    ['2027-13-01', /neither/],
    ['2027-01-31T18:00:00', /neither/],
    ['2027-01-31T25:00Z', /neither/],
    ['31.01.2027', /neither/],
    ['0s', /over already/],
    ['2026-03-01', /over already/],
    ['9999d', /ten years/],
    ['9999-12-31', /ten years/],
  ])('of %j is refused', (text, why) => {
    expect(() => parseExpiry(text, now)).toThrow(why);
  });
});
