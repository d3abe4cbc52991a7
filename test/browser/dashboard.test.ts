import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { useDashboard } from './open-dashboard.ts';

/** The page against the HTTP contract in memory: what it shows, what it sends, what it does with trouble. */
const { api, open } = useDashboard({ applications: 1000 });

const rows = '.applications tbody tr[data-id]';

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
      status: 503,
      title: 'unavailable',
      detail: 'the table does not answer',
      hint: 'Try again in a minute.',
    });
    const { page } = await open('/');

    await page.getByText('the table does not answer').first().waitFor({ timeout: 20_000 });
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

    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375);
    expect(errors).toEqual([]);
  });
});
