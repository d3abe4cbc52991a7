import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearDirty, dirtyKey, listDirty, markDirty } from '#shared/state/dirty.ts';
import { readPageChanges, recordPageChanges } from '#shared/state/page-changes.ts';
import { createPageBell } from '#functions/entry/aws/page-bell.ts';
import { openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(() => parts.close());

const record = (...ids: string[]) => recordPageChanges(parts, organisation, ids);
const read = (after?: number) => readPageChanges(parts.store, organisation, after);

describe('changes for pages', () => {
  it('start where a page starts, and tell each change once', async () => {
    expect(await read()).toEqual({ at: 0, changed: [] });
    await record('web', 'api');
    await record('web', 'cluster:home');

    expect(await read(0)).toEqual({ at: 2, changed: ['web', 'api', 'cluster:home'] });
    expect(await read(1)).toEqual({ at: 2, changed: ['web', 'cluster:home'] });
    expect(await read(2)).toEqual({ at: 2, changed: [] });
    expect(await read()).toEqual({ at: 2, changed: [] });
  });

  it('cost nothing where nothing changed', async () => {
    await record();
    expect(await read()).toEqual({ at: 0, changed: [] });
  });

  it('are unknown where a number has no row: a writer died in between, or it was long ago', async () => {
    await record('web');
    await parts.store.increment(`T#${organisation}#P`, 'PAGES');
    await record('api');

    expect(await read(0)).toEqual({ at: 3, changed: 'unknown' });
    expect(await read(2)).toEqual({ at: 3, changed: ['api'] });
    await parts.clock.advance(11 * 60_000);
    expect(await read(2)).toEqual({ at: 3, changed: 'unknown' });
  });

  it('are unknown to a page that knows more than the store (FT-49), and where they are too many', async () => {
    await record(...Array.from({ length: 201 }, (_, index) => `app-${index}`));

    expect(await read(9)).toEqual({ at: 1, changed: 'unknown' });
    expect(await read(0)).toEqual({ at: 1, changed: 'unknown' });
  });

  it('are nobody else’s', async () => {
    await record('web');
    expect(await readPageChanges(parts.store, 'rival', undefined)).toEqual({ at: 0, changed: [] });
  });
});

describe('the bell of functions', () => {
  const silent = { ring: () => undefined, listen: () => () => undefined, flush: async () => undefined };

  it('writes what changed once for each flush, however often it rang', async () => {
    const rung: [string, string | undefined][] = [];
    const bell = createPageBell({ ...silent, ring: (channel, payload) => void rung.push([channel, payload]) }, parts);

    for (const id of ['web', 'api', 'web', undefined]) bell.ring(`organisation:${organisation}`, id);
    bell.ring('cluster:acme/home', 'x');
    await bell.flush();
    await bell.flush();

    expect(await read(0)).toEqual({ at: 1, changed: ['web', 'api'] });
    expect(rung).toEqual([['cluster:acme/home', 'x']]);
  });

  it('does not fail where the change cannot be written, and still wakes agents', async () => {
    let flushed = false;
    const store = { ...parts.store, increment: () => Promise.reject(new Error('throttled')) };
    const bell = createPageBell({ ...silent, flush: async () => void (flushed = true) }, { ...parts, store });

    bell.ring(`organisation:${organisation}`, 'web');
    await bell.flush();

    expect(flushed).toBe(true);
  });
});

describe('a repository that is marked', () => {
  const mark = (repository: string, trace = 't') => markDirty(parts, organisation, { repository, trace });

  it('is found, once for any number of pushes, until its flag is taken away', async () => {
    await mark('demo', 't-1');
    await parts.clock.advance(5);
    await mark('demo', 't-2');
    const [row, ...others] = await listDirty(parts.store, organisation);

    expect(others).toEqual([]);
    expect(row).toMatchObject({ partition: dirtyKey(organisation), value: { repository: 'demo', trace: 't-2' } });
    await clearDirty(parts.store, row as NonNullable<typeof row>);
    expect(await listDirty(parts.store, organisation)).toEqual([]);
  });

  it('keeps a flag that was set while its hint was being sent, also by a clock that is behind (FT-04)', async () => {
    await mark('demo', 't-1');
    const [row] = await listDirty(parts.store, organisation);
    parts.clock.setNow(parts.clock.now() - 60_000);
    await mark('demo', 't-2');

    await clearDirty(parts.store, row as NonNullable<typeof row>);

    expect((await listDirty(parts.store, organisation)).map(({ value }) => value.trace)).toEqual(['t-2']);
  });
});
