import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { RepositoryView } from '#shared/messages/api.ts';
import { eventually } from '#test/kit/product.ts';
import { api, open, sideways } from './open-dashboard.ts';

/** The repositories page: what is read, what is wrong with it, credentials and webhooks. */

const dialog = 'dialog[open]';

const row = (page: Page, id: string): Locator => page.locator(`.repositories tr[data-id="${id}"]`);

/** The repository that the fixture has trouble with. */
function troubled(): RepositoryView {
  const found = api().registry.repositories.find((one) => one.error !== undefined);
  if (found === undefined) throw new Error('the fixture has no repository in trouble');
  return found;
}

async function choose(page: Page, id: string, action: string): Promise<Locator> {
  await row(page, id)
    .getByRole('button', { name: /^Actions for/ })
    .click();
  await row(page, id).getByRole('button', { name: action }).click();
  await page.locator(dialog).waitFor();
  return page.locator(dialog);
}

async function gone(page: Page): Promise<void> {
  await page.locator(dialog).waitFor({ state: 'detached' });
}

const bodies = () => api().changes.map(({ method, path, body }) => ({ call: `${method} ${path}`, body }));

describe('the list of repositories', () => {
  it('says what was read last and when, and of trouble since when', async () => {
    const { page, errors } = await open('/repositories');
    const bad = troubled();
    await row(page, bad.id).waitFor();

    expect(await row(page, bad.id).innerText()).toMatch(/Authentication failed[\s\S]*since\s+2h/);
    const well = row(page, 'deploy');
    expect(await well.innerText()).toMatch(/reachable[\s\S]*[0-9a-f]{7}[\s\S]*ago/);
    expect(await page.getByText('hawser repo list --templates').count()).toBe(1);
    expect(errors).toEqual([]);
  });

  it('shows trouble as soon as it starts, without anybody asking', async () => {
    const { page } = await open('/repositories');
    await row(page, 'deploy').getByText('reachable').waitFor();
    await eventually('the stream is open', async () => api().openStreams() > 0);
    const deploy = api().registry.repositories.find(({ id }) => id === 'deploy');
    if (deploy === undefined) throw new Error('no repository');
    Object.assign(deploy, { error: 'The host does not answer', errorSince: new Date().toISOString() });
    api().reload('search-web', {});

    await row(page, 'deploy').getByText('The host does not answer').waitFor();
  });

  it('opens a message that has no room in full, wide and narrow, by the keyboard', async () => {
    const bad = troubled();
    bad.error = `Authentication failed: ${'the host said no; '.repeat(40)}the end`;
    for (const width of [1280, 375]) {
      const { page } = await open('/repositories', { width });
      const button = row(page, bad.id).getByRole('button', { name: /^Show all: Trouble with/ });
      await button.focus();
      await page.keyboard.press('Enter');
      expect(await page.locator(dialog).innerText()).toContain('the end');
      await page.keyboard.press('Escape');
      await gone(page);
      expect(await sideways(page)).toBe(0);
      expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
    }
  });
});

describe('adding a repository', () => {
  it('shows where its webhook must point and the secret, once; nothing that was typed stays', async () => {
    const { page, errors } = await open('/repositories');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Add repository…' }).click();
    const box = page.locator(dialog);
    await box.getByLabel('Address: https').fill('https://gitlab.example.com/shop/gitops.git');
    expect(await box.getByLabel('SSH key').count()).toBe(0);
    await box.getByLabel('User name and password or token').check();
    await box.getByLabel('User name, where').fill('robot');
    expect(await box.getByLabel('Password or token', { exact: true }).getAttribute('type')).toBe('password');
    await box.getByLabel('Password or token', { exact: true }).fill('hunter2');
    await box.getByRole('button', { name: 'Add the repository' }).click();
    await box.getByText('https://hawser.example/webhooks/gitlab/gitops').waitFor();

    expect(bodies()).toEqual([
      {
        call: 'POST /repositories',
        body: {
          url: 'https://gitlab.example.com/shop/gitops.git',
          credentials: { kind: 'basic', username: 'robot', password: 'hunter2' },
        },
      },
    ]);
    await box.getByLabel('Kind of Git host').selectOption('generic');
    await box.getByText('https://hawser.example/webhooks/generic/gitops').waitFor();
    await box.getByRole('button', { name: 'Copy the webhook secret' }).click();
    await box.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^secret-\d+$/);
    await box.getByRole('button', { name: 'Done' }).click();
    await gone(page);
    await row(page, 'gitops').getByText('stored').waitFor();
    expect(await page.content()).not.toMatch(/secret-\d|hunter2/);
    expect(errors).toEqual([]);
  });

  it('offers an SSH key for addresses over ssh only, and the command line for the rest', async () => {
    const { page } = await open('/repositories');
    await page.getByRole('button', { name: 'Add repository…' }).click();
    const box = page.locator(dialog);
    await box.getByLabel('Bearer token').check();
    await box.getByLabel('Address: https').fill('git@github.com:shop/private.git');
    const confirm = box.getByRole('button', { name: 'Add the repository' });
    expect([await box.getByRole('radio').count(), await confirm.getAttribute('title')]).toEqual([
      2,
      'Choose how to log in',
    ]);
    expect(await box.getByText('hawser repo add git@github.com:shop/private.git --help').count()).toBe(1);
    await box.getByLabel('SSH key').check();
    await box
      .getByLabel('Private key')
      .fill('-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----');
    await confirm.click();
    await box.getByText('Webhook secret', { exact: true }).waitFor();

    expect(bodies()[0]?.body).toEqual({
      url: 'git@github.com:shop/private.git',
      credentials: {
        kind: 'ssh',
        privateKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n',
      },
    });
  });

  it('shows a refusal in itself', async () => {
    api().fail(/^POST \/repositories$/, {
      status: 400,
      title: 'Invalid',
      detail: 'url: is no address',
      hint: 'Mend it.',
    });
    const { page } = await open('/repositories');
    await page.getByRole('button', { name: 'Add repository…' }).click();
    await page.locator(dialog).getByLabel('Address: https').fill('nonsense');
    await page.keyboard.press('Enter');
    await page.locator(dialog).getByRole('alert').getByText('url: is no address').waitFor();

    expect(await page.locator(dialog).getByLabel('Address: https').inputValue()).toBe('nonsense');
    expect(await page.locator('.toast').count()).toBe(0);
  });

  it('is what an organisation without repositories is told first', async () => {
    api().registry.repositories.length = 0;
    const { page } = await open('/repositories');
    await page.getByText('No repository is known yet').waitFor();

    expect(await page.getByText(/^hawser repo add https/).count()).toBe(1);
    await page.getByRole('button', { name: 'Add repository…' }).click();
    await page.locator(dialog).getByLabel('Address: https').waitFor();
  });
});

describe('a repository that is there', () => {
  it('gets other credentials, and the trouble that it had goes', async () => {
    const { page } = await open('/repositories');
    const { id, url } = troubled();
    const box = await choose(page, id, 'Change credentials…');
    const confirm = box.getByRole('button', { name: 'Store' });
    expect(await confirm.getAttribute('title')).toBe('A password or token is missing');
    await box.getByLabel('Bearer token').check();
    await box.getByLabel('Password or token', { exact: true }).fill('fresh');
    const ca = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
    await box.getByLabel('Certificate authorities').fill(ca);
    await confirm.click();
    await gone(page);

    expect(bodies()).toEqual([
      { call: 'POST /repositories', body: { url, credentials: { kind: 'bearer', token: 'fresh' }, ca: `${ca}\n` } },
    ]);
    await row(page, id).getByText('reachable').waitFor();
    await page.locator('.toast', { hasText: 'Credentials stored' }).waitFor();
  });

  it('gets another webhook secret; the one before stays for a day, or not at all (FT-07)', async () => {
    const { page } = await open('/repositories');
    const box = await choose(page, 'deploy', 'Rotate webhook secret…');
    await box.getByRole('button', { name: 'Rotate', exact: true }).click();
    await box.getByText(/^The one before is taken until/).waitFor();
    await box.getByRole('button', { name: 'Done' }).click();
    await gone(page);
    const again = await choose(page, 'deploy', 'Rotate webhook secret…');
    await again.getByLabel('Refuse the one before at once').check();
    await again.getByRole('button', { name: 'Rotate', exact: true }).click();
    await again.getByText('The one before is refused from now on').waitFor();

    expect(bodies()).toEqual([
      { call: 'POST /repositories/deploy/webhook-secret', body: {} },
      { call: 'POST /repositories/deploy/webhook-secret', body: { overlapHours: 0 } },
    ]);
    expect(await again.locator('.value code').innerText()).toMatch(/^secret-\d+$/);
  });

  it('is not removed while applications read it, and is where none does', async () => {
    const { page } = await open('/repositories');
    const box = await choose(page, 'deploy', 'Remove…');
    await box.getByRole('button', { name: 'Remove', exact: true }).click();
    await box.getByRole('alert').getByText('applications still read repository deploy').waitFor();
    expect(await page.locator('.toast').count()).toBe(0);
    await page.keyboard.press('Escape');
    await gone(page);

    const deploy = api().registry.repositories.find(({ id }) => id === 'deploy');
    if (deploy === undefined) throw new Error('no repository');
    deploy.applications = 0;
    await page.reload({ waitUntil: 'commit' });
    const free = await choose(page, 'deploy', 'Remove…');
    await free.getByRole('button', { name: 'Remove', exact: true }).click();
    await row(page, 'deploy').waitFor({ state: 'detached' });
  });

  it('is left alone by viewers', async () => {
    api().setRole('viewer');
    const { page } = await open('/repositories');
    await row(page, 'deploy')
      .getByRole('button', { name: /^Actions for/ })
      .click();
    const remove = row(page, 'deploy').getByRole('button', { name: 'Remove…' });
    await remove.click({ force: true });

    expect(await remove.getAttribute('title')).toBe('The role viewer may look but not change');
    expect(await page.locator(dialog).count()).toBe(0);
  });
});
