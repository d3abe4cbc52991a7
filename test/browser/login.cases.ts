import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, focused, open, sideways } from './open-dashboard.ts';

/** Logging in, by hand and by the address, and what happens when a session ends. */

describe('without a session', () => {
  beforeEach(() => {
    api().endSession();
  });

  const title = 'Log in to Hawser';

  describe('the login page', () => {
    it('refuses a wrong token with its reason, and takes the right one, by keyboard alone', async () => {
      const { page } = await open('/applications');
      await page.getByRole('heading', { name: title }).waitFor();
      const field = page.getByLabel('Token');
      expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
      expect(await field.getAttribute('type')).toBe('password');

      await page.keyboard.type('wrong-token');
      await page.keyboard.press('Enter');
      const alert = page.getByRole('alert');
      await alert.waitFor();
      expect(await alert.innerText()).toBe(
        'This token is not accepted\n\nThe token is not known.\n\nAsk an administrator for a new one.',
      );
      expect(await field.getAttribute('aria-invalid')).toBe('true');
      expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);

      await page.keyboard.press('Control+A');
      await page.keyboard.type(`  ${api().token} `);
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBe('button Log in');
      await page.keyboard.press('Enter');
      await page.locator('.applications').waitFor();
      expect(api().requests.at(-1)).not.toContain('session');
    });

    it('sends nothing while no token is given, and says why', async () => {
      const { page } = await open('/');
      const button = page.getByRole('button', { name: 'Log in' });
      await button.waitFor();
      const before = api().requests.filter((request) => request === 'POST /session').length;
      await page.keyboard.type('   ');
      await page.keyboard.press('Enter');
      await button.click({ force: true });

      expect(await button.getAttribute('title')).toBe('Paste a token first');
      expect(api().requests.filter((request) => request === 'POST /session').length).toBe(before);
    });

    it('tells an unreachable service from a wrong token', async () => {
      const { page } = await open('/');
      await page.getByLabel('Token').fill(api().token);
      await page.route('**/api/v1/session', (route) => route.abort());
      await page.keyboard.press('Enter');

      await page.getByRole('alert').getByText('The service did not answer.').waitFor();
      expect(await page.getByRole('alert').innerText()).not.toContain('not accepted');
    });

    it('fits a phone', async () => {
      const { page } = await open('/', { width: 375, height: 600, dark: true });
      await page.getByRole('heading', { name: title }).waitFor();
      expect(await sideways(page)).toBe(0);
      expect((await page.locator('form.login').boundingBox())?.width).toBeLessThanOrEqual(375);
    });
  });

  describe('a token in the address', () => {
    it('logs in, leaves the address at once and stays where the address led', async () => {
      const { page } = await open(`/applications/search-web/history?x=1#token=${api().token}`);
      await page.locator('.history').waitFor();
      expect(page.url()).toBe(`${api().url}/applications/search-web/history?x=1`);
    });

    it('that is wrong leaves the address too, and the login page says so', async () => {
      const { page } = await open('/clusters#token=stolen');
      await page.getByRole('alert').getByText('This token is not accepted').waitFor();
      expect(page.url()).toBe(`${api().url}/clusters`);
    });
  });

  describe('a session', () => {
    it('that ends leads back to where one was after the next login', async () => {
      const path = '/applications/search-web/events';
      const { page } = await open(`${path}#token=${api().token}`);
      await page.locator('.events').waitFor();
      await eventually('the stream is open', async () => api().openStreams() > 0);

      api().endSession();
      await page.getByRole('heading', { name: title }).waitFor();
      await page.getByRole('status').filter({ hasText: 'The session has ended' }).waitFor();
      await page.getByLabel('Token').fill(api().token);
      await page.keyboard.press('Enter');
      await page.locator('.events').waitFor();
      expect(new URL(page.url()).pathname).toBe(path);
    });

    it('that ends under a change does not lose where one was, and the change is not sent again', async () => {
      const { page } = await open(`/applications/search-web#token=${api().token}`);
      await page.locator('.tree').waitFor();
      await page.route('**/api/v1/stream', (route) => route.abort());
      api().endSession();
      await page.keyboard.press('r');
      await page.getByRole('heading', { name: title }).waitFor();
      await page.getByLabel('Token').fill(api().token);
      await page.keyboard.press('Enter');
      await page.locator('.tree').waitFor();

      expect(new URL(page.url()).pathname).toBe('/applications/search-web');
      expect(api().changes).toEqual([]);
    });

    it('is ended by Log out: the login page comes at once, and nothing read before is left', async () => {
      const { page } = await open(`/applications/search-web#token=${api().token}`);
      await page.locator('.tree').waitFor();
      await page.getByRole('button', { name: 'Account and settings' }).click();
      await page.getByRole('button', { name: 'Log out' }).click();

      await page.getByRole('heading', { name: title }).waitFor();
      expect(await page.locator('body').innerText()).not.toContain('search-web');
      expect(await page.getByText('The session has ended').count()).toBe(0);
    });

    it('that cannot be read because of the service is no login page: it says so and tries again', async () => {
      api().fail(/^GET \/session$/, { status: 500, title: 'Internal error', detail: 'the table is torn' });
      const { page } = await open('/applications');
      await page.getByRole('alert').getByText('the table is torn').waitFor();
      expect(await page.getByLabel('Token').count()).toBe(0);
      api().heal();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('heading', { name: title }).waitFor();
    });
  });
});
