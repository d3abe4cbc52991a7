import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHotkeys, type KeyPress } from '#dashboard/ui/hotkeys.ts';
import { rovingIndex } from '#dashboard/ui/roving.ts';
import { scrollTopFor, windowSlice } from '#dashboard/ui/window-slice.ts';

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key,
  modified: false,
  inField: false,
  inDialog: false,
  at: 0,
  ...more,
});

function keyboard() {
  const ran: string[] = [];
  const hotkeys = createHotkeys();
  const bind = (...names: string[]) =>
    hotkeys.register(Object.fromEntries(names.map((name) => [name, () => void ran.push(name)])));
  return { ran, hotkeys, bind };
}

describe('shortcuts', () => {
  it('are single keys, and two in a row within 1.2 s', () => {
    const { ran, hotkeys, bind } = keyboard();
    bind('j', 'g a', 'a');
    expect([press('j'), press('g'), press('a', { at: 1200 })].map(hotkeys.press)).toEqual([true, true, true]);
    hotkeys.press(press('g', { at: 2000 }));
    hotkeys.press(press('a', { at: 3201 }));
    expect(ran).toEqual(['j', 'g a', 'a']);
  });

  it('leave alone what is typed, what a dialog wants and what the browser has; only Escape works while typing', () => {
    const { ran, hotkeys, bind } = keyboard();
    bind('s', 'Escape');
    const used = [
      press('s', { inField: true }),
      press('s', { inDialog: true }),
      press('s', { modified: true }),
      press('Escape', { inDialog: true }),
      press('Escape', { inField: true }),
    ].map(hotkeys.press);
    expect([used, ran]).toEqual([[false, false, false, false, true], ['Escape']]);
  });

  it('forget the first of two keys when something else comes between', () => {
    const { ran, hotkeys, bind } = keyboard();
    bind('g a', 'x');
    for (const key of ['g', 'x', 'a']) hotkeys.press(press(key));
    hotkeys.press(press('g'));
    hotkeys.press(press('a', { modified: true }));
    hotkeys.press(press('a'));
    expect(ran).toEqual([]);
  });

  it('belong to what came last, until it goes; an undefined action is none', () => {
    const { ran, hotkeys, bind } = keyboard();
    bind('r');
    const back = hotkeys.register({ r: () => void ran.push('later') });
    hotkeys.register({ r: undefined });
    hotkeys.press(press('r'));
    back();
    hotkeys.press(press('r'));
    expect(ran).toEqual(['later', 'r']);
    expect(hotkeys.press(press('q'))).toBe(false);
  });
});

describe('tabs and options by key', () => {
  it('go round, and jump to the ends', () => {
    const from = (current: number) =>
      ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp', 'Home', 'End'].map((key) => rovingIndex(key, current, 3));
    expect([from(0), from(2)]).toEqual([
      [1, 1, 2, 2, 0, 2],
      [0, 0, 1, 1, 0, 2],
    ]);
    expect([rovingIndex('Tab', 0, 3), rovingIndex('a', 0, 3), rovingIndex('ArrowRight', 0, 0)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the part of a long list that is in the document', () => {
  const views = fc.record({
    rows: fc.nat(5000),
    rowPx: fc.integer({ min: 10, max: 60 }),
    height: fc.integer({ min: 0, max: 3000 }),
    overscan: fc.nat(20),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('holds every row that can be seen, and is as high as all rows', () => {
    fc.assert(
      fc.property(views, ({ rows, rowPx, height, overscan, at }) => {
        const top = at * Math.max(0, rows * rowPx - height);
        const slice = windowSlice({ rows, rowPx, top, height, overscan });
        expect(slice.start).toBeGreaterThanOrEqual(0);
        expect(slice.end).toBeLessThanOrEqual(rows);
        expect(slice.start).toBeLessThanOrEqual(Math.min(rows, Math.floor(top / rowPx)));
        expect(slice.end).toBeGreaterThanOrEqual(Math.min(rows, Math.ceil((top + height) / rowPx)));
        expect(slice.beforePx + (slice.end - slice.start) * rowPx + slice.afterPx).toBe(rows * rowPx);
        expect(slice.end - slice.start).toBeLessThanOrEqual(Math.ceil(height / rowPx) + 2 * overscan + 6);
      }),
    );
  });

  it('is not empty where the list grew shorter than where one had scrolled to', () => {
    const slice = windowSlice({ rows: 3, rowPx: 30, top: 9000, height: 600, overscan: 12 });
    expect([slice.start, slice.end]).toEqual([0, 3]);
  });

  it('scrolls only as far as a row needs, past the head that covers it', () => {
    const view = { rowPx: 30, headPx: 30, top: 300, height: 330 };
    expect([scrollTopFor(10, view), scrollTopFor(19, view)]).toEqual([300, 300]);
    expect([scrollTopFor(9, view), scrollTopFor(20, view)]).toEqual([270, 330]);
  });
});
