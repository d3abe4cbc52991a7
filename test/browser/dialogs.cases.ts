import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, focused, open, sideways } from './open-dashboard.ts';

/** What can be done with an application: what each dialog says, what it sends, and where it tells of a failure. */

const dialog = 'dialog[open]';

async function gone(page: Page): Promise<void> {
  await page.locator(dialog).waitFor({ state: 'detached' });
}

/** The one change that was sent, with the header that proves its origin (NT-132). */
async function sent(): Promise<{ method: string; path: string; query: Record<string, string>; body: unknown }> {
  await eventually('something was sent', async () => api().changes.length > 0);
  const [change, ...more] = api().changes;
  expect(more).toEqual([]);
  if (change === undefined) throw new Error('nothing was sent');
  const { header, ...rest } = change;
  expect(header).toBe('1');
  return rest;
}

describe('the sync dialog', () => {
  it('sends every option that was chosen and nothing else', async () => {
    const { page } = await open('/applications/search-web');
    await page.locator('.tree').waitFor();
    await page.keyboard.press('s');
    for (const option of ['Prune', 'Dry run', 'Force']) await page.locator(dialog).getByLabel(option).check();
    await page.locator(dialog).getByRole('radio', { name: 'OutOfSync 1' }).click();
    await page.locator(dialog).getByRole('button', { name: 'Dry run', exact: true }).click();

    expect(await sent()).toEqual({
      method: 'POST',
      path: '/applications/search-web/sync',
      query: {},
      body: { prune: true, dryRun: true, force: true, resources: ['apps/Deployment/search/search-web'] },
    });
    await gone(page);
    await page.locator('.toast', { hasText: /^Dry run accepted \(generation \d+\)$/ }).waitFor();
  });

  it('sends an empty request where nothing was chosen, and shows the operation from accepted to done', async () => {
    const { page } = await open('/applications/search-worker');
    await page.getByRole('button', { name: 'Sync', exact: true }).click();
    await page.locator(dialog).getByRole('button', { name: 'Sync', exact: true }).click();

    expect((await sent()).body).toEqual({});
    const fact = page.locator('.fact', { has: page.getByText('Last operation', { exact: true }) });
    await fact.getByText('Succeeded').waitFor();
    await eventually('the generation is the accepted one', async () =>
      /generation 100\d\d\d · mara/.test(await fact.innerText()),
    );
  });

  it('takes single resources, found by a filter, and asks for at least one', async () => {
    const { page } = await open('/applications/search-web');
    await page.getByRole('button', { name: 'Sync', exact: true }).click();
    const box = page.locator(dialog);
    await box.getByRole('radio', { name: 'Choose…' }).click();
    const confirm = box.getByRole('button', { name: 'Sync', exact: true });
    expect([await confirm.getAttribute('aria-disabled'), await confirm.getAttribute('title')]).toEqual([
      'true',
      'No resource is chosen',
    ]);
    await confirm.click({ force: true });
    await box.getByLabel('Filter resources').fill('conf');
    await box.locator('.chooser').getByRole('checkbox').check();
    expect(api().changes).toEqual([]);
    await confirm.click();

    expect((await sent()).body).toEqual({ resources: ['/ConfigMap/search/search-web-config'] });
  });

  it('shows a refusal in itself, stays open with what was chosen, and sends again when asked', async () => {
    api().fail(/^POST .*\/sync$/, { status: 409, title: 'Conflict', detail: 'no snapshot yet', hint: 'Push first.' });
    const { page } = await open('/applications/search-web');
    await page.getByRole('button', { name: 'Sync', exact: true }).click();
    const box = page.locator(dialog);
    await box.getByLabel('Prune').check();
    await box.getByRole('button', { name: 'Sync', exact: true }).click();
    await box.getByRole('alert').getByText('no snapshot yet').waitFor();

    expect(await box.getByRole('alert').innerText()).toContain('Push first.');
    expect(await page.locator('.toast').count()).toBe(0);
    api().heal();
    await box.getByRole('button', { name: 'Sync', exact: true }).click();
    expect((await sent()).body).toEqual({ prune: true });
    await gone(page);
  });

  it('tells of a failure as a message where it was closed before the answer', async () => {
    api().slow(/^POST .*\/sync$/, 300);
    api().fail(/^POST .*\/sync$/, { status: 500, title: 'Internal error', detail: 'the write was torn' });
    const { page } = await open('/applications/search-web');
    await page.getByRole('button', { name: 'Sync', exact: true }).click();
    await page.locator(dialog).getByRole('button', { name: 'Sync', exact: true }).click();
    await page.keyboard.press('Escape');
    await gone(page);

    await page.locator('.toast.bad', { hasText: 'the write was torn' }).waitFor();
  });
});

describe('the rollback dialog', () => {
  it('is offered for all but what is desired now; Escape closes it without a request, the focus returns', async () => {
    const { page } = await open('/applications/search-web/history');
    const opener = page.getByRole('button', { name: /Roll back to generation/ });
    await opener.first().focus();
    expect([await opener.count(), await page.locator('.history tr.current').getByRole('button').count()]).toEqual([
      8, 0,
    ]);
    await page.keyboard.press('Enter');
    await page.locator(dialog).waitFor();
    await page.keyboard.press('Escape');
    await gone(page);

    expect(await focused(page)).toBe('button Roll back to generation 789');
    expect(api().changes).toEqual([]);
  });

  it('names what comes back and where to, and asks for exactly that generation', async () => {
    const { page } = await open('/applications/search-web/history');
    await page.locator('.history tbody tr').nth(3).getByRole('button').click();
    const text = await page.locator(dialog).innerText();
    expect(text).toContain('7 objects of generation 755');
    expect(text).toContain('eu-west-staging/search');
    expect(text).toContain('Sync is automated');
    await page.locator(dialog).getByRole('button', { name: 'Roll back' }).click();

    expect(await sent()).toEqual({
      method: 'POST',
      path: '/applications/search-web/rollback',
      query: {},
      body: { generation: 755 },
    });
    await page.locator('.toast', { hasText: 'Rollback accepted' }).waitFor();
  });
});

describe('the delete dialog', () => {
  async function openDelete(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.locator(dialog).waitFor();
  }

  it('asks for the name, and keeps the objects unless told otherwise (G-10)', async () => {
    const { page } = await open('/applications/identity-api');
    await openDelete(page);
    const box = page.locator(dialog);
    const confirm = box.getByRole('button', { name: /^Delete the application/ });
    expect(await box.getByRole('radio', { name: /Keep the objects/ }).isChecked()).toBe(true);
    expect(await box.locator('legend').innerText()).toMatch(/its 7 objects on \S+$/);
    await box.getByRole('textbox').fill('identity-ap');
    await page.keyboard.press('Enter');
    await confirm.click({ force: true });
    expect(api().changes).toEqual([]);
    await box.getByRole('textbox').fill('identity-api');
    await confirm.click();

    expect(await sent()).toMatchObject({
      method: 'DELETE',
      path: '/applications/identity-api',
      query: { cascade: 'orphan' },
    });
    await page.getByText('There is no application identity-api').waitFor();
  });

  it('says how many objects go with it and sends how', async () => {
    const { page } = await open('/applications/shop-cache');
    await openDelete(page);
    const box = page.locator(dialog);
    await box.getByRole('radio', { name: /^Delete the objects, wait for their children/ }).check();
    await box.getByRole('textbox').fill('shop-cache');
    await box.getByRole('button', { name: 'Delete it and 7 objects' }).click();

    expect(await sent()).toMatchObject({ path: '/applications/shop-cache', query: { cascade: 'foreground' } });
  });

  it('gives the focus back to the menu that it was opened from', async () => {
    const { page } = await open('/applications/shop-worker');
    await openDelete(page);
    await page.locator(dialog).getByRole('button', { name: 'Cancel' }).click();
    await gone(page);

    expect(await focused(page)).toBe('button More actions');
    expect(api().changes).toEqual([]);
  });
});

describe('held prunes', () => {
  it('are confirmed by the list that was shown; a list that changed meanwhile must be read first (G-13)', async () => {
    const hold = api().application('platform-web').hold;
    if (hold === undefined) throw new Error('the fixture holds nothing');
    const newer = { ...hold, objects: hold.objects.slice(1), listDigest: 'f'.repeat(64) };
    const { page } = await open('/applications/platform-web');
    await page.getByRole('button', { name: 'Confirm…' }).click();
    expect(await page.locator(`${dialog} li`).count()).toBe(7);
    api().change('platform-web', { hold: newer });
    await page.locator(dialog).getByText('The list has changed since').waitFor();
    await page.locator(dialog).getByRole('button', { name: 'Delete 7 objects' }).click({ force: true });
    expect(api().changes).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Confirm…' }).click();
    await page.locator(dialog).getByRole('button', { name: 'Delete 6 objects' }).click();

    expect(await sent()).toMatchObject({
      path: '/applications/platform-web/confirm',
      body: { listDigest: newer.listDigest },
    });
    await page.locator('.banner.hold').waitFor({ state: 'detached' });
  });
});

describe('actions without a dialog', () => {
  it('tell of a failure in a message that stays until it is closed', async () => {
    api().fail(/^POST .*\/refresh$/, { status: 429, title: 'Too many', detail: 'the repository was just read' });
    const { page } = await open('/applications/search-web');
    await page.locator('.tree').waitFor();
    await page.keyboard.press('r');
    const toast = page.getByRole('alert').filter({ hasText: 'the repository was just read' });
    await toast.waitFor();
    await toast.getByRole('button', { name: 'Dismiss' }).click();
    await toast.waitFor({ state: 'detached' });
  });

  it('suspend and resume change places when the service has said so', async () => {
    const { page } = await open('/applications/search-cache');
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.locator('.fact .flag', { hasText: 'suspended' }).waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor({ state: 'detached' });

    expect(api().changes.map(({ path }) => path)).toEqual(
      ['suspend', 'resume'].map((verb) => `/applications/search-cache/${verb}`),
    );
  });

  it('are refused to those who may only look, with the reason', async () => {
    api().setRole('viewer');
    const { page } = await open('/applications/search-web/history');
    const offered = page.locator('.actions .button[aria-disabled], .history .button');
    await page.locator('.history').waitFor();
    const reasons = await offered.evaluateAll((buttons) => buttons.map((button) => button.getAttribute('title')));

    expect(new Set(reasons)).toEqual(new Set(['The role viewer may look but not change']));
    expect(reasons.length).toBeGreaterThan(8);
    await page.keyboard.press('s');
    expect(await page.locator(dialog).count()).toBe(0);
  });
});

describe('dialogs', () => {
  it('keep the focus inside, and the keys of the page behind them do nothing', async () => {
    const { page } = await open('/applications/search-web?resource=apps%2FDeployment%2Fsearch%2Fsearch-web');
    await page.locator('.panel').waitFor();
    await page.keyboard.press('s');
    await page.locator(dialog).waitFor();
    const places = new Set<string>();
    for (let press = 0; press < 14; press += 1) {
      await page.keyboard.press(press < 10 ? 'Tab' : 'Shift+Tab');
      const [inside, html] = await page.evaluate(() => {
        const element = document.activeElement;
        const held = element === document.body || element?.closest('dialog[open]') !== null;
        return [held, element?.outerHTML.slice(0, 200) ?? ''] as const;
      });
      expect([inside, html]).toEqual([true, html]);
      places.add(html);
    }
    expect(places.size).toBeGreaterThan(4);
    await page.keyboard.press('3');
    expect(new URL(page.url()).pathname).toBe('/applications/search-web');
    await page.keyboard.press('Escape');
    await gone(page);
    expect(await page.locator('.panel').count()).toBe(1);
  });

  it('fit a phone: nothing sticks out, and what confirms is in view', async () => {
    const objects = Array.from(
      { length: 60 },
      (_, index) => `apps/Deployment/platform/${'a-long-name-'.repeat(8)}${index}`,
    );
    const hold = { guards: ['G-03'], listDigest: 'a'.repeat(64), objects, reason: 'too many at once' };
    api().change('platform-cache', { held: true, hold });
    const { page } = await open('/applications/platform-cache', { width: 375, height: 600 });
    for (const opener of ['Sync', 'Confirm…']) {
      await page.getByRole('button', { name: opener, exact: true }).click();
      const box = await page.locator(dialog).boundingBox();
      const footer = await page.locator(`${dialog} footer`).boundingBox();
      if (box === null || footer === null) throw new Error('the dialog is not shown');
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(375);
      expect(footer.y + footer.height).toBeLessThanOrEqual(600);
      expect(await sideways(page)).toBe(0);
      await page.keyboard.press('Escape');
      await gone(page);
    }
  });
});
