import { describe, expect, it } from 'vitest';
import {
  age,
  ago,
  bytes,
  counted,
  destinationTitle,
  duration,
  keyTitle,
  objectTitle,
  shortRepository,
  shortRevision,
  subject,
} from '#dashboard/ui/format.ts';

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const now = Date.UTC(2026, 0, 1);

describe('ages', () => {
  it.each([
    [0, 'now', 'just now'],
    [999, 'now', 'just now'],
    [1000, '1s', '1s ago'],
    [59_999, '59s', '59s ago'],
    [60_000, '1m', '1m ago'],
    [3_599_999, '59m', '59m ago'],
    [3_600_000, '1h', '1h ago'],
    [86_399_999, '23h', '23h ago'],
    [86_400_000, '1d', '1d ago'],
    [365 * 86_400_000 - 1, '364d', '364d ago'],
    [365 * 86_400_000, '1y', '1y ago'],
  ])('%i ms are %s', (ms, short, phrase) => {
    expect([age(at(-ms), now), ago(at(-ms), now)]).toEqual([short, phrase]);
  });

  it('of a clock that is ahead are no negative ages, and of no time are a dash', () => {
    expect([age(at(90_000), now), ago(at(90_000), now)]).toEqual(['now', 'just now']);
    expect([age('yesterday', now), ago('yesterday', now)]).toEqual(['–', '–']);
  });
});

describe('durations', () => {
  it.each([
    [0, '0.0 s'],
    [840, '0.8 s'],
    [9949, '9.9 s'],
    [9960, '10 s'],
    [10_000, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 m 0 s'],
    [200_000, '3 m 20 s'],
    [3_599_700, '1 h 0 m'],
    [7_500_000, '2 h 5 m'],
    [-1, '–'],
  ])('of %i ms are %s', (ms, text) => {
    expect(duration(at(0), at(ms))).toBe(text);
  });

  it('of what is no time are a dash', () => {
    expect(duration('', at(0))).toBe('–');
  });
});

describe('sizes and numbers', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [10_188, '9.9 KiB'],
    [10_236, '10 KiB'],
    [84 * 1024 ** 2, '84 MiB'],
    [1024 ** 2 - 1, '1.0 MiB'],
    [5000 * 1024 ** 4, '5000 TiB'],
  ])('%i bytes are %s', (size, text) => {
    expect(bytes(size)).toBe(text);
  });

  it('count in one, many and thousands', () => {
    expect([
      counted(1, 'object'),
      counted(0, 'object'),
      counted(1024, 'object'),
      counted(2, 'retry', 'retries'),
    ]).toEqual(['1 object', '0 objects', '1,024 objects', '2 retries']);
  });
});

describe('names', () => {
  it('shorten a commit and nothing else', () => {
    expect(shortRevision('9f3c1e7'.padEnd(40, '0'))).toBe('9f3c1e7');
    expect(shortRevision('a'.repeat(64))).toBe('aaaaaaa');
    expect(['v1.24.0', '6.9.77', 'deadbeef', 'main'].map(shortRevision)).toEqual([
      'v1.24.0',
      '6.9.77',
      'deadbeef',
      'main',
    ]);
  });

  it.each([
    ['https://github.com/example/deploy.git', 'github.com/example/deploy'],
    ['git@github.com:example/deploy.git', 'github.com:example/deploy'],
    ['ssh://git@git.example.com:2222/deploy', 'git.example.com:2222/deploy'],
    ['oci://registry.example.com/charts', 'registry.example.com/charts'],
    ['https://mara:secret@git.example.com/deploy', 'git.example.com/deploy'],
    ['https://mara:sec@ret@git.example.com/deploy', 'git.example.com/deploy'],
    ['https://git.example.com/at@sign/deploy', 'git.example.com/at@sign/deploy'],
  ])('show no more of %s than says which repository it is', (url, text) => {
    expect(shortRepository(url)).toBe(text);
  });

  it('of objects have a namespace only where there is one', () => {
    expect(keyTitle('apps/Deployment/shop/web')).toBe('Deployment shop/web');
    expect(keyTitle('/Namespace//shop')).toBe('Namespace shop');
    expect(keyTitle('rbac.authorization.k8s.io/ClusterRole//system:a/b')).toBe('ClusterRole system:a/b');
    expect(keyTitle('no key')).toBe('no key');
    expect(objectTitle({ kind: 'Node', namespace: '', name: 'n1' })).toBe('Node n1');
  });

  it('of a destination have a namespace only where there is one', () => {
    expect(destinationTitle({ cluster: 'sandbox', destinationNamespace: '' })).toBe('sandbox');
    expect(destinationTitle({ cluster: 'eu', destinationNamespace: 'shop' })).toBe('eu/shop');
  });

  it('of a commit are its first line', () => {
    expect([subject(' Roll out 4.18 \n\nbody'), subject('')]).toEqual(['Roll out 4.18', '']);
  });
});
