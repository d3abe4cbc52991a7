import { describe, expect, it } from 'vitest';
import { createLog, type LogLevel } from '#shared/adapters/observe/pino-log.ts';
import { HawserError } from '#shared/errors.ts';
import type { Log } from '#shared/ports/log.ts';

function capture(options: { level?: LogLevel; pretty?: boolean } = {}): {
  log: Log;
  lines: string[];
  last: () => Record<string, unknown>;
} {
  const lines: string[] = [];
  const log = createLog({
    level: 'debug',
    name: 'service',
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

it('writes one JSON object per line, at once', () => {
  const { log, lines, last } = capture();

  log.info({ application: 'shop', count: 3 }, 'published');

  expect(lines).toHaveLength(1);
  expect(last()).toMatchObject({ level: 'info', name: 'service', message: 'published', application: 'shop', count: 3 });
  expect(Date.parse(String(last()['time']))).toBeGreaterThan(0);
});

it('leaves out what is below its level', () => {
  const { log, lines } = capture({ level: 'warn' });

  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');

  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(['c', 'd']);
});

it('gives the fields of a child to every line of it', () => {
  const { log, last } = capture();

  log.child({ trace: 't-1' }).child({ queue: 'hints' }).warn({ receives: 2 }, 'failed');

  expect(last()).toMatchObject({ trace: 't-1', queue: 'hints', receives: 2 });
});

describe('nothing secret', () => {
  const canary = 'canary-4711';
  const places: [string, (log: Log) => void][] = [
    [
      'a field',
      (log) =>
        log.info(
          { token: canary, password: canary, secret: canary, authorization: canary, Authorization: canary },
          'x',
        ),
    ],
    [
      'a field by a longer name',
      (log) =>
        log.info(
          { webhookSecret: canary, 'x-api-key': canary, bearerToken: canary, privateKey: canary, cookie: canary },
          'x',
        ),
    ],
    [
      'deep inside',
      (log) => log.info({ request: { headers: [{ authorization: canary }] }, map: new Map([['token', canary]]) }, 'x'),
    ],
    ['whole credentials', (log) => log.info({ access: { credentials: { username: canary, other: [canary] } } }, 'x')],
    ['a child', (log) => log.child({ token: canary, inner: { password: canary } }).info({}, 'x')],
    [
      'the URL of a repository',
      (log) =>
        log.info({ url: `https://user:${canary}@git.example/a.git` }, `fetching https://${canary}@git.example/a.git`),
    ],
    [
      'an error',
      (log) =>
        log.error(
          {
            error: new HawserError('internal', `cannot fetch ssh://git:${canary}@host/a`, {
              data: { token: canary },
              cause: new Error(`https://${canary}@x/`),
            }),
          },
          'x',
        ),
    ],
  ];

  it.each(places)('is written when it stands in %s (NT-93)', (_where, write) => {
    for (const pretty of [false, true]) {
      const { log, lines } = capture({ pretty });
      write(log);
      expect(lines.join('')).not.toContain(canary);
      expect(lines.join('')).toMatch(/redacted|\*\*\*@/);
    }
  });

  it('hides names and ids that only sound so', () => {
    const { log, last } = capture();

    log.info(
      {
        secretName: 'repo-creds',
        tokenId: 'T-1',
        secretVersion: '3',
        tokens: ['x'],
        email: 'a@b.example',
        url: 'https://git.example/a@b',
      },
      'mail a@b.example',
    );

    expect(last()).toMatchObject({
      secretName: 'repo-creds',
      tokenId: 'T-1',
      secretVersion: '3',
      tokens: '[redacted]',
      email: 'a@b.example',
      url: 'https://git.example/a@b',
      message: 'mail a@b.example',
    });
  });
});

describe('one line per message', () => {
  const hostile = 'x\r\n{"level":"error","message":"forged"}\u001B[31m\u2028\u0000';

  it('stays one, whatever a repository or a request put into it', () => {
    for (const pretty of [false, true]) {
      const { log, lines } = capture({ pretty });
      log.child({ [hostile]: hostile }).error({ path: hostile, error: new Error(hostile) }, hostile);

      expect(lines).toHaveLength(1);
      const line = lines[0] ?? '';
      expect(line.endsWith('\n')).toBe(true);
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001F]/);
    }
  });
});

describe('errors and odd values', () => {
  it('writes what an error says, what to do, and what was behind it', () => {
    const { log, last } = capture();
    const cause = new Error('ECONNREFUSED');

    log.error(
      {
        error: new HawserError('unavailable', 'queue hints cannot be read', {
          retry: 'later',
          hint: 'Free space.',
          data: { queue: 'hints' },
          cause,
        }),
      },
      'failed',
    );

    expect(last()['error']).toMatchObject({
      name: 'HawserError',
      code: 'unavailable',
      retry: 'later',
      hint: 'Free space.',
      data: { queue: 'hints' },
      cause: { message: 'ECONNREFUSED' },
    });
  });

  it('never throws: cycles, depths, big numbers, bytes, getters that throw', () => {
    const { log, last } = capture();
    const cycle: Record<string, unknown> = {
      big: 1n,
      bytes: Buffer.from('abc'),
      at: new Date(0),
      bad: new Date(Number.NaN),
      set: new Set([1]),
    };
    cycle['self'] = cycle;
    const error = new Error('round');
    error.cause = error;
    let deep: Record<string, unknown> = {};
    for (let level = 0; level < 50; level += 1) deep = { deep };

    log.info(
      {
        cycle,
        error,
        deep,
        bad: Object.defineProperty({}, 'x', {
          enumerable: true,
          get: () => {
            throw new Error('no');
          },
        }),
        nothing: undefined,
        call: () => 1,
      },
      'odd',
    );

    expect(last()['cycle']).toMatchObject({
      big: '1',
      bytes: '[3 bytes]',
      at: '1970-01-01T00:00:00.000Z',
      set: [1],
      self: '[…]',
    });
    expect(last()['bad']).toEqual({ x: '[unreadable]' });
  });
});

it('writes a short line for people when asked', () => {
  const { log, lines } = capture({ pretty: true });

  log.warn({ application: 'shop', note: 'two words', error: new Error('cannot apply') }, 'not healthy');

  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d WARN {2}service {2}not healthy {2}application=shop note="two words" error="cannot apply"\n$/,
  );
});
