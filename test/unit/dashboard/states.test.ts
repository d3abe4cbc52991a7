import { describe, expect, it } from 'vitest';
import type { ApplicationDetail, HistoryView } from '#shared/messages/api.ts';
import { whyNotChange, whyNotConfirm, whyNotRollBack } from '#dashboard/pages/application/capabilities.ts';
import { noticesOf } from '#dashboard/pages/application/notices.ts';
import { isAnswered, pendingOf } from '#dashboard/pages/application/pending.ts';

const app = (more: Partial<ApplicationDetail> = {}) =>
  ({ id: 'a', cluster: 'eu', conditions: [], stale: false, deleting: false, ...more }) as ApplicationDetail;
const condition = (type: string, message = type) => ({ type, message, lastTransitionTime: '2026-01-01T00:00:00Z' });
const operation = (more: Record<string, unknown>) =>
  ({ phase: 'Failed', message: 'refused', resources: [], generation: 5, ...more }) as unknown as NonNullable<
    ApplicationDetail['operationState']
  >;

describe('what has to be seen first', () => {
  it('is worst first, and nothing where nothing is wrong', () => {
    const notices = noticesOf(
      app({
        deleting: true,
        stale: true,
        conditions: [condition('ComparisonError'), condition('OrphanedResourceWarning')],
      }),
    );
    expect(notices.map(({ tone, title }) => [tone, title])).toEqual([
      ['bad', 'ComparisonError'],
      ['warn', 'Stale'],
      ['warn', 'OrphanedResourceWarning'],
      ['info', 'Being deleted'],
    ]);
    expect(noticesOf(app({ operationState: operation({ phase: 'Succeeded' }) }))).toEqual([]);
  });

  it('tells of a failed sync once, with how many resources failed', () => {
    const resources = [{ status: 'SyncFailed' }, { status: 'Synced' }];
    const [failed] = noticesOf(app({ operationState: operation({ resources }) }));
    expect([failed?.title, failed?.hint]).toEqual([
      'Sync failed',
      '1 of 2 resources failed; each says why under Resources.',
    ]);
    const both = noticesOf(app({ operationState: operation({}), conditions: [condition('SyncError', 'refused')] }));
    expect(both.map(({ title }) => title)).toEqual(['SyncError']);
  });

  it('leaves a hold to its own banner, and shows its condition where the list is not there', () => {
    const hold = { guards: [], listDigest: '', objects: [], reason: '' };
    const conditions = [condition('NeedsConfirmation')];
    expect(noticesOf(app({ conditions, hold }))).toEqual([]);
    expect(noticesOf(app({ conditions })).map(({ tone }) => tone)).toEqual(['warn']);
  });
});

describe('what can be done', () => {
  const admin = { organisation: 'o', user: 'u', role: 'admin', version: '1' };
  const viewer = { ...admin, role: 'viewer' };

  it('is nothing for who may only look, and nothing more with what is being deleted', () => {
    expect(whyNotChange(viewer, app())).toContain('viewer');
    expect(whyNotChange(admin, app({ deleting: true }))).toContain('deleted');
    expect(whyNotChange(admin, app())).toBeUndefined();
  });

  it('is no rollback to what is desired now, and no confirmation of a list that may be old (G-13)', () => {
    const entry = (current: boolean) => ({ current }) as HistoryView;
    expect([whyNotRollBack(admin, app(), entry(true)), whyNotRollBack(admin, app(), entry(false))]).toEqual([
      'This is what is desired now',
      undefined,
    ]);
    expect(whyNotRollBack(viewer, app(), entry(false))).toContain('viewer');
    expect(whyNotConfirm(admin, app({ stale: true }))).toContain('old');
    expect(whyNotConfirm(admin, app())).toBeUndefined();
  });
});

describe('a change that was accepted', () => {
  it('is waited for until an operation of its generation or a later one is known', () => {
    const pending = pendingOf('Sync', { application: 'a', generation: 7 });
    if (pending === undefined) throw new Error('nothing to wait for');
    const at = (generation?: number) =>
      isAnswered(pending, generation === undefined ? app() : app({ operationState: operation({ generation }) }));
    expect([at(), at(6), at(7), at(8)]).toEqual([false, false, true, true]);
    expect(pendingOf('Sync', { application: 'a' })).toBeUndefined();
  });
});
