import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { initialSize } from '#infra/build/build-dashboard.ts';
import { ensureDashboard } from '#localstack/builds.ts';
import { eventually } from '#test/kit/product.ts';
import { api, boxOf, open, sideways, tokenColour } from './open-dashboard.ts';

/** The page against the HTTP contract in memory: its list, and how it lays out what is longer, emptier or worse than usual, measured. */

const rows = '.applications tbody tr[data-id]';

describe('the first load', () => {
  it('is at most 120 kB of script after gzip, without the pages that come later', async () => {
    const { script, style } = await initialSize(await ensureDashboard());

    expect(script).toBeLessThanOrEqual(120_000);
    expect(style).toBeLessThanOrEqual(10_000);
    expect(script).toBeGreaterThan(20_000);
  });
});

describe('the list', () => {
  it('keeps few rows in the document however many applications there are', async () => {
    const { page, errors } = await open('/');
    await page.locator(rows).first().waitFor();

    expect(await page.locator(rows).count()).toBeLessThan(120);
    await page.getByText('1,000 applications').waitFor();
    expect(errors).toEqual([]);
  });

  it('searches with / and keeps the search in the address', async () => {
    const { page } = await open('/');
    const name = (await page.locator(`${rows} .row-link`).first().innerText()).trim();

    await page.keyboard.press('/');
    await page.keyboard.type(name);

    await eventually('the address holds the search', async () =>
      page.url().includes(`search=${encodeURIComponent(name)}`),
    );
    await eventually('fewer rows are left', async () => (await page.locator(rows).count()) < 30);
  });

  it('opens an application with j and Enter', async () => {
    const { page } = await open('/');
    await page.locator(rows).first().waitFor();

    await page.keyboard.press('j');
    await page.keyboard.press('Enter');

    await page.waitForURL(/\/applications\/.+/);
    await page
      .getByRole('tab', { name: /Resources/ })
      .or(page.getByText('Resources').first())
      .first()
      .waitFor();
  });

  it('shows trouble with its detail and hint', async () => {
    api().fail(/^GET \/applications$/, {
      status: 500,
      title: 'unavailable',
      detail: 'the table does not answer',
      hint: 'Try again in a minute.',
    });
    const { page } = await open('/');

    await page.getByText('the table does not answer').first().waitFor();
    await page.getByText('Try again in a minute.').first().waitFor();
  });

  it('shows hostile text as text (NT-130, NT-134)', async () => {
    const { page } = await open('/');

    await page.getByText('<img src=x onerror=').first().waitFor();

    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
  });

  it('does not scroll sideways at 375 px, in the dark', async () => {
    const { page, errors } = await open('/', { width: 375, height: 700, dark: true });
    await page.locator(rows).first().waitFor();

    expect(await sideways(page)).toBe(0);
    expect(errors).toEqual([]);
  });
});

const longText =
  'container app of pod web-7d9c5b8f4-x2k9p waits: ImagePullBackOff, the registry does not answer; '.repeat(8);

/** What sticks out of its cell, of all elements that `selector` finds. */
async function outOfCell(page: Page, selector: string): Promise<string[]> {
  return page.locator(selector).evaluateAll((elements) =>
    elements.flatMap((element) => {
      const cell = element.closest('td, th')?.getBoundingClientRect();
      const box = element.getBoundingClientRect();
      return cell === undefined || box.width === 0 || (box.left >= cell.left && box.right <= cell.right + 0.5)
        ? []
        : [`${element.textContent}: ${Math.round(box.right - cell.right)} px`];
    }),
  );
}

describe('the facts strip', () => {
  it('keeps its height under a long health message, which stays whole in the title', async () => {
    const { page } = await open('/applications/payments-web');
    const height = async () => page.locator('.facts').evaluate((element) => element.clientHeight);
    await page.locator('.facts').waitFor();
    const usual = await height();
    api().change('payments-web', { healthMessage: longText });
    await page.locator('.facts').getByText(longText.trim()).waitFor();

    expect(await height()).toBeLessThanOrEqual(usual + 20);
    expect(await page.locator('.facts').getByText(longText.trim()).getAttribute('title')).toBe(longText);
  });

  it('opens a long health message in full by touch and by the keyboard, and offers that for no short one', async () => {
    const { page } = await open('/applications/payments-web');
    const facts = page.locator('.facts');
    await facts.waitFor();
    const button = facts.getByRole('button', { name: 'Show all: Health message' });
    api().change('payments-web', { healthMessage: 'it waits' });
    await facts.getByText('it waits').waitFor();
    expect(await button.count()).toBe(0);
    api().change('payments-web', { healthMessage: `${longText}at last` });
    for (const width of [1280, 375]) {
      await page.setViewportSize({ width, height: 800 });
      await button.focus();
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Health message' });
      expect(await dialog.innerText()).toContain('at last');
      const text = dialog.locator('.full-text');
      expect(await text.evaluate((each) => each.scrollWidth <= each.clientWidth)).toBe(true);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      const [own, fact] = [await boxOf(button), await boxOf(page.locator('.fact').first())];
      expect(own.right).toBeLessThanOrEqual(fact.right);
      expect(await button.evaluate((each) => each === document.activeElement)).toBe(true);
    }
  });

  it('keeps all flags of an application inside their fact', async () => {
    api().change('shop-ledger', { suspended: true, stale: true, held: true, deleting: true, health: 'Progressing' });
    const { page } = await open('/applications/shop-ledger');
    const fact = await boxOf(page.locator('.fact').first());

    for (const flag of await page.locator('.fact .flag').all())
      expect((await boxOf(flag)).right).toBeLessThanOrEqual(fact.right);
    expect(await page.locator('.fact .flag').count()).toBe(4);
  });
});

describe('a destination without a namespace', () => {
  it('is the cluster alone wherever it is named', async () => {
    api().change('shop-catalog', { cluster: 'sandbox', destinationNamespace: '' });
    const { page } = await open('/applications/shop-catalog');

    const fact = page.locator('.fact', { has: page.getByText('Destination', { exact: true }) }).locator('.fact-line');
    expect(await fact.innerText()).toBe('sandbox');
    await page.getByRole('button', { name: 'Sync' }).click();
    expect(await page.locator('dialog').innerText()).toMatch(/on sandbox\.$/m);
    await page.keyboard.press('Escape');
    await page.goto(`${api().url}/applications?search=shop-catalog`);
    const cell = page.locator('.applications tr[data-id=shop-catalog] td[title]').last();
    expect(await cell.innerText()).toBe('sandbox');
    expect(await cell.getAttribute('title')).toBe('sandbox');
  });
});

describe('the cells of the list', () => {
  it('keeps every flag in its cell and leaves the name readable, wide and narrow', async () => {
    api().change('platform-web', { suspended: true, stale: true, operation: 'Failed' });
    const { page } = await open('/applications?search=platform-web', { height: 900 });
    const row = '.applications tr[data-id=platform-web]';
    await page.locator(`${row} .flag`).first().waitFor();

    for (const width of [1280, 800, 375]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await outOfCell(page, '.applications .flag, .applications .kind, .applications .status')).toEqual([]);
      const name = await boxOf(page.locator(`${row} .row-link > .cut`));
      expect(name.right - name.left).toBeGreaterThan(40);
      expect(await sideways(page)).toBe(0);
    }
  });
});

describe('the cells of the tree', () => {
  it('cuts what is too long for its cell, wide and narrow', async () => {
    const detail = api().application('search-worker');
    api().change('search-worker', {
      resources: detail.resources.map((resource, index) =>
        index === 0
          ? {
              ...resource,
              kind: 'ValidatingAdmissionPolicyBinding',
              name: `a-name-${'that-goes-on-and-on-'.repeat(10)}end`,
              hook: 'PreSync,PostSync',
              syncWave: -100,
              requiresPruning: true,
              health: { status: 'Progressing', message: longText },
            }
          : resource,
      ),
    });
    const { page } = await open('/applications/search-worker');
    const name = page.locator('.tree .object-name', { hasText: 'that-goes-on' });
    await name.waitFor();

    for (const width of [1280, 375]) {
      await page.setViewportSize({ width, height: 900 });
      const inCells = '.tree td > .status, .tree .object-name, .tree .object-kind, .tree .flag';
      expect(await outOfCell(page, inCells)).toEqual([]);
      const box = await boxOf(name);
      expect(box.right - box.left).toBeGreaterThan(24);
      expect(await sideways(page)).toBe(0);
    }
    expect(await name.evaluate((element) => getComputedStyle(element).textOverflow)).toBe('ellipsis');
    const overflow = (cell: Element) => getComputedStyle(cell).overflowX;
    expect(await page.locator('.tree tbody tr:not(.spacer) td').first().evaluate(overflow)).toBe('hidden');
  });
});

describe('colours and marks', () => {
  it('shows warnings among the events in amber, light and dark', async () => {
    const { page } = await open('/applications/search-web/events');
    const reason = page.locator('.events .status', { hasText: 'DriftDetected' });
    await reason.waitFor();

    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const colour = await reason.evaluate((element) => getComputedStyle(element).color);
      expect(colour).toBe(await tokenColour(page, '--warn'));
      expect(colour).not.toBe(await tokenColour(page, '--bad'));
    }
  });

  it('shows a tick after a copy, and the text is copied', async () => {
    const { page } = await open('/applications/search-web/manifest');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const button = page.getByRole('button', { name: 'Copy the declared object with its status' });
    const shape = async (name: string) => page.getByRole('button', { name }).locator('path').getAttribute('d');
    const before = await shape('Copy the declared object with its status');
    await button.click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();

    expect(await page.getByRole('button', { name: 'Copied' }).locator('svg').getAttribute('data-icon')).toBe('check');
    expect(await shape('Copied')).not.toBe(before);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('kind: Application');
  });
});
