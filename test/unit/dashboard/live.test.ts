import { describe, expect, it } from 'vitest';
import type { ApplicationDetail, ApplicationList, ApplicationSummary, StreamEvent } from '#shared/messages/api.ts';
import { ApiError, createApi, isTransient, problemOf } from '#dashboard/api/client.ts';
import { foldEvents, mergeDetail, mergePages } from '#dashboard/api/merge.ts';
import { backOffMs, parseEvent } from '#dashboard/api/stream.ts';
import { createThrottle } from '#dashboard/api/throttle.ts';

const summary = (id: string, more: Partial<ApplicationSummary> = {}) =>
  ({
    id,
    name: id,
    health: 'Healthy',
    sync: 'Synced',
    cluster: 'c',
    project: 'p',
    updatedAt: '1',
    ...more,
  }) as ApplicationSummary;
const changed = (id: string, more: Partial<ApplicationSummary> = {}): StreamEvent => ({
  type: 'application',
  application: summary(id, more),
});
const page = (...items: ApplicationSummary[]) => ({ items, total: items.length }) as unknown as ApplicationList;

describe('events of the stream', () => {
  it('come to the newest word on each application, also about one that went and came', () => {
    const batch = foldEvents([
      changed('a', { health: 'Missing' }),
      changed('a', { health: 'Degraded' }),
      { type: 'removed', id: 'a' },
      { type: 'removed', id: 'b' },
      changed('b'),
    ]);
    expect([[...batch.applications.keys()], [...batch.removed]]).toEqual([['b'], ['a']]);
  });

  it('change rows in their place and leave other pages the same objects', () => {
    const pages = [page(summary('a'), summary('b')), page(summary('c'))];
    const merged = mergePages(pages, foldEvents([changed('b', { generation: 7 })]));
    expect(merged.pages[0]?.items.map(({ id, generation }) => [id, generation])).toEqual([
      ['a', undefined],
      ['b', 7],
    ]);
    expect(merged.pages[1]).toBe(pages[1]);
    expect(merged.asks).toBe(false);
  });

  it.each<[string, StreamEvent[]]>([
    ['an application is new', [changed('new')]],
    ['one went', [{ type: 'removed', id: 'a' }]],
    ['its health changed', [changed('a', { health: 'Degraded' })]],
    ['its sync status changed', [changed('a', { sync: 'OutOfSync' })]],
    ['its place among the newest changed', [changed('a', { updatedAt: '2' })]],
  ])('ask for the list again where %s', (_, events) => {
    expect(mergePages([page(summary('a'))], foldEvents(events)).asks).toBe(true);
  });

  it('take a removed application out', () => {
    const merged = mergePages([page(summary('a'), summary('b'))], foldEvents([{ type: 'removed', id: 'a' }]));
    expect(merged.pages[0]?.items.map(({ id }) => id)).toEqual(['b']);
  });

  it('take from a detail what the summary no longer says', () => {
    const detail = {
      ...summary('a', { healthMessage: 'crash', message: 'failed' }),
      images: ['i'],
    } as ApplicationDetail;
    const merged = mergeDetail(detail, summary('a'));
    expect([merged.images, 'healthMessage' in merged, 'message' in merged]).toEqual([['i'], false, false]);
  });

  it('that this version does not know are passed over', () => {
    expect(['{', '[]', 'null', '{"type":"later"}', '{"kind":"removed"}', 7, undefined].map(parseEvent)).toEqual(
      Array(7).fill(undefined),
    );
    expect(parseEvent('{"type":"removed","id":"a"}')).toEqual({ type: 'removed', id: 'a' });
  });

  it('are waited for ever longer, up to 15 s, less by chance', () => {
    expect([1, 2, 4, 5, 60].map((failures) => backOffMs(failures, 0))).toEqual([1000, 2000, 8000, 15_000, 15_000]);
    expect(backOffMs(60, 1)).toBe(7500);
  });
});

describe('the throttle', () => {
  it('runs once for a burst, per key, and not again before its time', () => {
    let now = 0;
    const timers: { at: number; run: () => void }[] = [];
    const ran: string[] = [];
    const throttle = createThrottle(
      (key) => ran.push(`${key} ${now}`),
      { firstMs: 100, everyMs: 1000 },
      { now: () => now, setTimer: (run, ms) => timers.push({ at: now + ms, run }), clearTimer: () => undefined },
    );
    const until = (ms: number) => {
      now = ms;
      for (const timer of timers.splice(0)) {
        if (timer.at <= ms) timer.run();
        else timers.push(timer);
      }
    };
    throttle.call('a');
    throttle.call('a');
    throttle.call('b');
    until(100);
    throttle.call('a');
    until(1099);
    until(1100);
    expect(ran).toEqual(['a 100', 'b 100', 'a 1100']);
  });
});

describe('a call of the API', () => {
  const asked: { url: string; init: RequestInit }[] = [];
  const answering = (status: number, body: string) =>
    createApi({
      fetch: async (url, init) => {
        asked.push({ url: String(url), init: init ?? {} });
        return new Response(status === 204 ? null : body, { status });
      },
    });
  const failure = async (run: Promise<unknown>): Promise<ApiError> => {
    const error = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof ApiError) return error;
    throw new Error(`no ApiError: ${String(error)}`);
  };

  it('proves its origin where it changes something, and nowhere else (NT-132)', async () => {
    asked.length = 0;
    await answering(200, '{}').sync('a/b', { prune: true });
    await answering(204, '').logout();
    await answering(200, '{}').application('a/b');
    expect(
      asked.map(({ url, init }) => [init.method, url, new Headers(init.headers).get('x-hawser-request'), init.body]),
    ).toEqual([
      ['POST', '/api/v1/applications/a%2Fb/sync', '1', '{"prune":true}'],
      ['DELETE', '/api/v1/session', '1', undefined],
      ['GET', '/api/v1/applications/a%2Fb', null, undefined],
    ]);
  });

  it('fails with the service’s own problem', async () => {
    const error = await failure(answering(409, '{"type":"/problems/conflict","detail":"old","hint":"read"}').session());
    expect(error.problem).toEqual({
      type: '/problems/conflict',
      title: 'Error 409',
      status: 409,
      detail: 'old',
      hint: 'read',
    });
  });

  it.each([
    [502, '<html>Bad Gateway</html>'],
    [500, '{"message":"gateway"}'],
    [404, ''],
  ])('says that something in between answered %i with %j', async (status, body) => {
    const error = await failure(answering(status, body).session());
    expect([error.status, error.problem.detail.startsWith('Something between this page and the service')]).toEqual([
      status,
      true,
    ]);
  });

  it('takes a page in the place of an answer for no answer', async () => {
    const error = await failure(answering(200, '<!doctype html>').clusters());
    expect(error.problem.type).toBe('about:blank');
  });

  it('tells what is slow from what is away', async () => {
    const away = createApi({ fetch: () => Promise.reject(new TypeError('failed')) });
    const slow = createApi({
      timeoutMs: 5,
      fetch: async (_, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        }),
    });
    expect((await failure(away.session())).problem.type).toBe('/problems/unavailable');
    expect((await failure(slow.session())).problem.type).toBe('/problems/timeout');
  });

  it('that the page itself gave up is no failure of the service', async () => {
    const controller = new AbortController();
    controller.abort();
    const api = createApi({ fetch: () => Promise.reject(new DOMException('gone', 'AbortError')) });
    await expect(api.session(controller.signal)).rejects.toThrow('gone');
  });

  it('is tried again only where the same call may succeed', () => {
    const of = (status: number) => isTransient(new ApiError({ type: '', title: '', status, detail: '' }));
    expect([0, 429, 502, 503, 504].map(of)).toEqual(Array(5).fill(true));
    expect([400, 401, 403, 404, 409, 500].map(of)).toEqual(Array(6).fill(false));
    expect(isTransient(new Error('a bug'))).toBe(false);
    expect(problemOf(new Error('a bug'))).toMatchObject({ title: 'The page failed', detail: 'a bug' });
  });
});
