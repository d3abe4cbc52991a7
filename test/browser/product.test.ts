import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplicationList, ClusterView, RepositoryView } from '#shared/messages/api.ts';
import { openBrowser, openPage } from '#test/kit/browser.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';

/** The page on top of the whole product, as a user opens it. */
let product: TestProduct;
let browser: Browser;

beforeAll(async () => {
  [product, browser] = await Promise.all([startTestProduct({ demo: true }), openBrowser()]);
  await eventually(
    'the demo is up',
    async () => {
      const { counts } = await product.api<ApplicationList>('GET', '/api/v1/applications');
      return counts.health['Healthy'] === 8 && counts.sync['Synced'] === 8;
    },
    120_000,
  );
}, 900_000);

afterAll(async () => {
  await browser?.close();
  await product?.end();
});

describe('the page of a running product', () => {
  it('opens without a login on loopback and lists every application', async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(product.run.url);

    await page.getByText('podinfo-staging').first().waitFor();

    for (const name of ['infra', 'tenants', 'monitoring', 'podinfo-production', 'redis', 'redis-staging', 'root']) {
      expect(await page.getByText(name, { exact: true }).count(), name).toBeGreaterThan(0);
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  it('shows a push by itself: new revision with the commit’s author and message, Synced and Healthy', async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(`${product.run.url}/applications/podinfo-staging`);
    await page.getByText('Synced').first().waitFor();
    const work = await product.clone('demo');
    const file = join(work, 'podinfo/overlays/staging/kustomization.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/newTag: .*/, 'newTag: 6.9.77'));
    await product.git(work, 'commit', '-qam', 'podinfo: a tag that the page must show');
    await product.git(work, 'push', '-q', 'origin', 'HEAD:main');

    await page.getByText('podinfo: a tag that the page must show').first().waitFor({ timeout: 15_000 });

    await page.getByText('Ada Test').first().waitFor();
    await page.getByText('Healthy').first().waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('adds, rotates and removes what the service then has or has not', async () => {
    const { page, errors } = await openPage(browser);
    const dialog = page.locator('dialog[open]');
    const menu = async (id: string, action: string) => {
      const row = page.locator(`tr[data-id="${id}"]`);
      await row.getByRole('button', { name: /^Actions for/ }).click();
      await row.getByRole('button', { name: action }).click();
    };
    await page.goto(`${product.run.url}/clusters`);
    await page.getByRole('button', { name: 'Add cluster…' }).click();
    await dialog.getByLabel('Name').fill('of-the-page');
    await dialog.getByLabel('Labels').fill('made=by-hand');
    await page.keyboard.press('Enter');
    await dialog.getByText('Waiting for its agent').waitFor();
    expect(await dialog.locator('.install code').innerText()).toMatch(/hawser-register_\S+_of-the-page_/);
    await dialog.getByRole('button', { name: 'Done' }).click();
    const { items } = await product.api<{ items: ClusterView[] }>('GET', '/api/v1/clusters');
    expect(items.find(({ id }) => id === 'of-the-page')?.labels).toEqual({ made: 'by-hand' });
    await menu('of-the-page', 'Remove…');
    await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.locator('tr[data-id=of-the-page]').waitFor({ state: 'detached' });

    await page.goto(`${product.run.url}/repositories`);
    await page.getByRole('button', { name: 'Add repository…' }).click();
    await dialog.getByLabel('Address: https').fill('https://git.invalid/of-the-page.git');
    await dialog.getByLabel('Bearer token').check();
    await dialog.getByLabel('Password or token', { exact: true }).fill('token-of-the-page');
    await page.keyboard.press('Enter');
    await dialog.getByText(/webhooks\/generic\//).waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    const known = (await product.api<{ items: RepositoryView[] }>('GET', '/api/v1/repositories')).items;
    const added = known.find(({ url }) => url.includes('of-the-page'));
    expect(added?.hasCredentials).toBe(true);
    const id = added?.id ?? '';
    await menu(id, 'Rotate webhook secret…');
    await dialog.getByRole('button', { name: 'Rotate', exact: true }).click();
    await dialog.getByText(/^The one before is taken until/).waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await menu(id, 'Remove…');
    await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.locator(`tr[data-id="${id}"]`).waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
    await page.close();
  });

  it('gives no session to a page load that another site caused (NT-132)', async () => {
    const foreign = await fetch(product.run.url, { headers: { 'sec-fetch-site': 'cross-site' } });
    const own = await fetch(product.run.url, { headers: { 'sec-fetch-site': 'none' } });

    expect(foreign.headers.get('set-cookie')).toBeNull();
    expect(own.headers.get('set-cookie')).toMatch(/hawser_session=.*HttpOnly.*SameSite=Strict/i);
  });
});
