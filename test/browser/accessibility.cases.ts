import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, focused, open } from './open-dashboard.ts';

/** What people who do not see the page, or do not use a mouse, need of every view; read from the document itself. */

const views: readonly [address: string, ready: string][] = [
  ['/applications', '.applications tbody tr[data-id]'],
  ['/applications/platform-web?resource=apps%2FDeployment%2Fplatform%2Fplatform-web', '.panel .code'],
  ['/applications/search-web?view=table', '.resources'],
  ['/applications/search-web/diff', '.half'],
  ['/applications/search-web/events', '.events'],
  ['/applications/search-web/history', '.history'],
  ['/applications/search-web/manifest', '.code-frame'],
  ['/clusters', '.clusters'],
  ['/repositories', '.repositories'],
];

/** What is wrong with the document as it stands; each with the element. */
async function faults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const say = (what: string, element: Element) => found.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
    const seen = (element: Element) => element.checkVisibility({ visibilityProperty: true });
    const textOf = (ids: string | null) =>
      (ids ?? '')
        .split(' ')
        .map((id) => document.getElementById(id)?.textContent ?? '')
        .join('');
    const labelOf = (element: Element) =>
      `${element.getAttribute('aria-label') ?? ''}${textOf(element.getAttribute('aria-labelledby'))}`.trim();
    const isField = (element: Element) =>
      element instanceof HTMLInputElement ||
      element instanceof HTMLTextAreaElement ||
      element instanceof HTMLSelectElement;
    const nameOf = (element: Element) => {
      const labels = isField(element) ? [...(element.labels ?? [])] : [];
      return [
        labelOf(element),
        ...labels.map((label) => label.textContent),
        isField(element) ? '' : element.textContent,
      ]
        .join('')
        .trim();
    };
    const interactive = 'a[href], button, input, select, textarea, summary, [tabindex], [role=tab], [role=radio]';
    for (const element of document.querySelectorAll(interactive)) {
      if (seen(element) && nameOf(element) === '') say('no name', element);
      if (Number(element.getAttribute('tabindex') ?? 0) > 0) say('an order of its own', element);
    }
    for (const element of document.querySelectorAll('[role=region], [role=dialog], dialog, nav, section, aside'))
      if (seen(element) && labelOf(element) === '') say('a part without a name', element);
    for (const svg of document.querySelectorAll('svg'))
      if (svg.closest('[aria-hidden=true]') === null && svg.getAttribute('role') !== 'img')
        say('an icon that is read', svg);
    for (const element of document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby]'))
      for (const name of ['aria-controls', 'aria-labelledby', 'aria-describedby'])
        for (const id of (element.getAttribute(name) ?? '').split(' ').filter(Boolean))
          if (document.getElementById(id) === null) say(`${name} leads nowhere`, element);
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    for (const id of new Set(ids))
      if (ids.filter((other) => other === id).length > 1) found.push(`two have the id ${id}`);
    for (const tab of document.querySelectorAll('[role=tab]'))
      if (tab.closest('[role=tablist]') === null || !tab.hasAttribute('aria-selected')) say('half a tab', tab);
    for (const radio of document.querySelectorAll('[role=radio]'))
      if (radio.closest('[role=radiogroup]') === null || !radio.hasAttribute('aria-checked'))
        say('half a radio', radio);
    for (const head of document.querySelectorAll('thead th')) if (!head.hasAttribute('scope')) say('no scope', head);
    if (document.querySelectorAll('main').length !== 1) found.push('not exactly one main');
    if (document.querySelectorAll('h1').length !== 1) found.push('not exactly one h1');
    if (document.documentElement.lang === '') found.push('no language');
    return found;
  });
}

describe('every view', () => {
  it('has names, roles and references that hold', async () => {
    const { page, errors } = await open('/');
    for (const [address, ready] of views) {
      await page.evaluate((to) => history.pushState(null, '', to), address);
      await page.locator(ready).first().waitFor();
      expect([address, await faults(page)]).toEqual([address, []]);
      expect(await page.title()).toMatch(/^.+ · Hawser$/);
    }
    expect(errors).toEqual([]);
  });

  it('is found out where it does not', async () => {
    const { page } = await open('/clusters');
    await page.locator('.clusters').waitFor();
    await page.evaluate(() => {
      document
        .getElementById('root')
        ?.insertAdjacentHTML(
          'beforeend',
          '<button><svg></svg></button><span role="tab">x</span><i aria-labelledby="nobody"></i><h1>2</h1><nav>3</nav>' +
            '<p class="pale">pale</p>',
        );
      const pale = document.querySelector<HTMLElement>('.pale');
      if (pale !== null) pale.style.color = '#999';
    });

    expect((await faults(page)).map((fault) => fault.replace(/:.*/, ''))).toEqual([
      'no name',
      'a part without a name',
      'an icon that is read',
      'aria-labelledby leads nowhere',
      'half a tab',
      'not exactly one h1',
    ]);
    expect(await faint(page)).toEqual(['pale «pale» 2.85']);
  });

  it('has dialogs and menus that hold too', async () => {
    const { page } = await open('/applications/search-web/history');
    await page.locator('.history').waitFor();
    for (const press of ['?', 's']) {
      await page.keyboard.press(press);
      await page.locator('dialog[open]').waitFor();
      expect(await faults(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.locator('dialog[open]').waitFor({ state: 'detached' });
    }
    for (const [address, opener] of [
      ['/clusters', 'Add cluster…'],
      ['/repositories', 'Add repository…'],
    ] as const) {
      await page.evaluate((to) => history.pushState(null, '', to), address);
      await page.getByRole('button', { name: opener }).click();
      await page.locator('dialog[open]').waitFor();
      expect([address, await faults(page), await faint(page)]).toEqual([address, [], []]);
      await page.keyboard.press('Escape');
      await page.locator('dialog[open]').waitFor({ state: 'detached' });
    }
    await page.evaluate(() => history.pushState(null, '', '/applications/search-web'));
    for (const menu of ['More actions', 'Account and settings']) {
      await page.getByRole('button', { name: menu }).click();
      await page.getByRole('dialog', { name: menu }).waitFor();
      expect(await faults(page)).toEqual([]);
      await page.keyboard.press('Escape');
    }
  });
});

describe('the login page', () => {
  it('holds too', async () => {
    api().fail(/^GET \/session$/, { status: 401, title: 'Unauthenticated', detail: 'There is no session.' });
    const { page } = await open('/#token=wrong');
    await page.getByRole('alert').waitFor();

    expect(await faults(page)).toEqual([]);
    expect(await faint(page)).toEqual([]);
  });
});

describe('the keyboard', () => {
  it.each([
    ['/applications?search=search-web', '.applications tbody tr[data-id]'],
    ['/applications/search-web', '.tree .object-name'],
  ])('reaches what %s offers, and each stop is seen', async (address, ready) => {
    const { page } = await open(address);
    await page.locator(ready).first().waitFor();
    const stops: string[] = [];
    for (let press = 0; press < 24; press += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return undefined;
        const outlined = [getComputedStyle(element), getComputedStyle(element, '::before')].some(
          (style) => style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2,
        );
        const { width, height } = element.getBoundingClientRect();
        return { outlined, sized: width > 0 && height > 0, html: element.outerHTML.slice(0, 200) };
      });
      if (stop === undefined) break;
      expect(stop).toEqual({ outlined: true, sized: true, html: expect.any(String) });
      stops.push(stop.html);
    }
    expect(new Set(stops).size).toBeGreaterThan(10);
  });

  it('chooses in a group of options by the arrows, which do not move the list behind it', async () => {
    const { page } = await open('/applications/search-web');
    await page.locator('.tree').waitFor();
    await page.getByRole('radio', { name: 'Tree' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.resources').waitFor();

    expect(await focused(page)).toBe('radio Table');
    await page.keyboard.press('ArrowDown');
    await page.locator('.tree').waitFor();
    expect(await focused(page)).toBe('radio Tree');
    expect(await page.locator('.tree tr.active').count()).toBe(0);
  });

  it('goes back out of a menu to its button', async () => {
    const { page } = await open('/applications/search-web');
    await page.getByRole('button', { name: 'More actions' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('button Suspend');
    await page.keyboard.press('Escape');
    await eventually('the menu has gone', async () => (await page.getByRole('dialog').count()) === 0);
    expect(await focused(page)).toBe('button More actions');
  });
});

describe('text', () => {
  it('has a contrast of at least 4.5 on its ground, light and dark', async () => {
    api().change('platform-web', { suspended: true, stale: true, operation: 'Failed' });
    const { page } = await open('/applications/platform-web/events');
    await page.locator('.events').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect([colorScheme, await faint(page)]).toEqual([colorScheme, []]);
    }
  });
});

/** Texts whose contrast (WCAG 2.2, 1.4.3) with the ground that is painted behind them is under 4.5. */
async function faint(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (canvas === null) throw new Error('no canvas');
    const paint = (colour: string) => {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    };
    const luminance = () => {
      const [red = 0, green = 0, blue = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
        const value = part / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (element: Element) => {
      const above: Element[] = [];
      for (let at: Element | null = element; at !== null; at = at.parentElement) above.unshift(at);
      paint('Canvas');
      for (const each of above) paint(getComputedStyle(each).backgroundColor);
      const ground = luminance();
      paint(getComputedStyle(element).color);
      const text = luminance();
      return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
    };
    const own = (element: Element) =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== '');
    return [...document.querySelectorAll('#root *')]
      .filter((element) => own(element) && element.checkVisibility() && contrast(element) < 4.5)
      .map((element) => `${element.className} «${element.textContent.slice(0, 30)}» ${contrast(element).toFixed(2)}`);
  });
}
