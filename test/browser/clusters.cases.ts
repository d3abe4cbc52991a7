import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, focused, open, sideways } from './open-dashboard.ts';

/** The clusters page: who is registered, how their agents are, and everything that can be done about it. */

const dialog = 'dialog[open]';

const row = (page: Page, id: string): Locator => page.locator(`.clusters tr[data-id="${id}"]`);

async function choose(page: Page, id: string, action: string): Promise<Locator> {
  await page.getByRole('button', { name: `Actions for ${id}` }).click();
  await page
    .getByRole('dialog', { name: `Actions for ${id}` })
    .getByRole('button', { name: action })
    .click();
  await page.locator(dialog).waitFor();
  return page.locator(dialog);
}

async function gone(page: Page): Promise<void> {
  await page.locator(dialog).waitFor({ state: 'detached' });
}

/** What was sent, without the header that proves its origin (NT-132). */
const sent = () =>
  api().changes.map(({ method, path, body, header }) => {
    expect(header).toBe('1');
    return { method, path, body };
  });

describe('adding a cluster', () => {
  it('shows the install command once, waits, and shows that the agent has come, in the dialog and the list', async () => {
    const { page, errors } = await open('/clusters');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Add cluster…' }).click();
    const box = page.locator(dialog);
    await box.getByLabel('Name').fill('edge-oslo');
    await box.getByLabel('Labels').fill('env=edge, region=no');
    await box.getByRole('button', { name: 'Add the cluster' }).click();
    await box.getByText('Waiting for its agent').waitFor();

    expect(sent()).toEqual([
      {
        method: 'POST',
        path: '/clusters',
        body: { name: 'edge-oslo', identity: 'service-account', labels: { env: 'edge', region: 'no' } },
      },
    ]);
    const command = box.locator('.install code');
    expect(await command.innerText()).toMatch(
      /^helm upgrade --install hawser-agent [\s\S]*"token":"hawser-register_example_edge-oslo_\d+"/,
    );
    await box.getByRole('button', { name: 'Copy the command' }).first().click();
    await box.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain(`--set-json 'registration={"token":"hawser-register_example_edge-oslo_`);
    // A click beside it would lose what is shown only once.
    await page.mouse.click(5, 400);
    expect(await command.isVisible()).toBe(true);
    expect(await row(page, 'edge-oslo').innerText()).toContain('Waiting');
    expect(await box.getByText('hawser cluster renew edge-oslo --proxy URL').isVisible()).toBe(true);

    api().registry.connect('edge-oslo');
    await box.getByRole('status').getByText('Connected: Kubernetes v1.35.1').waitFor();
    await box.getByRole('button', { name: 'Done' }).click();
    await gone(page);
    await row(page, 'edge-oslo').getByText('Connected').waitFor();
    expect(await page.content()).not.toContain('hawser-register_');
    expect(errors).toEqual([]);
  });

  it('shows a cluster that somebody else has added, by itself', async () => {
    const { page } = await open('/clusters');
    await row(page, 'eu-west-prod').waitFor();
    await eventually('the stream is open', async () => api().openStreams() > 0);
    api().registry.change('POST', '/clusters', { name: 'elsewhere', identity: 'static' });
    api().registry.connect('elsewhere');

    await row(page, 'elsewhere').getByText('Connected').waitFor();
  });

  it('shows a refusal in itself and keeps what was typed', async () => {
    const { page } = await open('/clusters');
    await page.getByRole('button', { name: 'Add cluster…' }).click();
    const box = page.locator(dialog);
    const confirm = box.getByRole('button', { name: 'Add the cluster' });
    expect(await confirm.getAttribute('title')).toBe('Give it a name first');
    expect(await box.locator('footer').innerText()).toContain('Give it a name first');
    await box.getByLabel('Name').fill('eu-west-prod');
    await box.getByLabel('Labels').fill('production');
    await box.getByText('production is no label').waitFor();
    await confirm.click({ force: true });
    expect(api().changes).toEqual([]);
    await box.getByLabel('Labels').fill('');
    await confirm.click();
    await box.getByRole('alert').getByText('eu-west-prod is registered already').waitFor();

    expect(await box.getByLabel('Name').inputValue()).toBe('eu-west-prod');
    expect(await page.locator('.toast').count()).toBe(0);
    await page.keyboard.press('Escape');
    await gone(page);
    expect(await focused(page)).toBe('button Add cluster…');
  });

  it('says where the command is to be had when it was closed before the answer', async () => {
    api().slow(/^POST \/clusters$/, 200);
    const { page } = await open('/clusters');
    await page.getByRole('button', { name: 'Add cluster…' }).click();
    await page.locator(dialog).getByLabel('Name').fill('hasty');
    await page.keyboard.press('Enter');
    await eventually('it was sent', async () => api().requests.includes('POST /clusters'));
    await page.keyboard.press('Escape');

    await page.locator('.toast', { hasText: 'hasty is registered. Install the agent anew…' }).waitFor();
    await row(page, 'hasty').waitFor();
  });

  it('is what an organisation without clusters is told first', async () => {
    api().registry.clusters.length = 0;
    const { page } = await open('/clusters');
    await page.getByText('No cluster is registered yet').waitFor();

    expect(await page.getByText('hawser cluster add NAME').count()).toBe(1);
    await page.getByRole('button', { name: 'Add cluster…' }).click();
    await page.locator(dialog).getByLabel('Name').fill('first');
    await page.locator(dialog).getByLabel('A token that does not end').check();
    await page.keyboard.press('Enter');
    await page.locator(dialog).getByText('Waiting for its agent').waitFor();
    expect(sent()[0]?.body).toEqual({ name: 'first', identity: 'static' });
  });
});

describe('a cluster that is there', () => {
  it('is revoked, let in again, and installed anew with a new token', async () => {
    const { page, errors } = await open('/clusters');
    const revoke = await choose(page, 'eu-west-staging', 'Revoke…');
    expect(await revoke.innerText()).toContain('What runs in the cluster goes on running');
    await revoke.getByRole('button', { name: 'Revoke', exact: true }).click();
    await gone(page);
    await row(page, 'eu-west-staging').getByText('Revoked').waitFor();
    await page.locator('.toast', { hasText: 'eu-west-staging is revoked' }).waitFor();

    const restore = await choose(page, 'eu-west-staging', 'Let it in again…');
    await restore.getByRole('button', { name: 'Let it in' }).click();
    await gone(page);
    await row(page, 'eu-west-staging').getByText('Not heard').waitFor();

    const renew = await choose(page, 'eu-west-staging', 'Install the agent anew…');
    await renew.getByRole('button', { name: 'Make a new token' }).click();
    await renew.getByText('Waiting for its agent').waitFor();
    expect(await renew.locator('.install code').innerText()).toContain('hawser-register_example_eu-west-staging_');
    api().registry.connect('eu-west-staging');
    await renew.getByText('Connected: Kubernetes v1.35.1').waitFor();
    expect(sent().map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /clusters/eu-west-staging/revoke',
      'POST /clusters/eu-west-staging/restore',
      'POST /clusters/eu-west-staging/registration',
    ]);
    expect(errors).toEqual([]);
  });

  it('waits for the new agent even while the one before is still connected', async () => {
    const { page } = await open('/clusters');
    const box = await choose(page, 'eu-west-prod', 'Install the agent anew…');
    await box.getByRole('button', { name: 'Make a new token' }).click();
    await box.getByText('Waiting for its agent').waitFor();
    api().registry.heard('eu-west-prod', { kubernetesVersion: 'v1.36.0' });
    await row(page, 'eu-west-prod').getByText('v1.36.0').waitFor();

    expect(await row(page, 'eu-west-prod').innerText()).toContain('Connected');
    expect(await box.getByText('Waiting for its agent').isVisible()).toBe(true);
  });

  it('is not removed while applications use it: the refusal is shown where it was asked for', async () => {
    const { page } = await open('/clusters');
    const box = await choose(page, 'us-east-prod', 'Remove…');
    expect(await box.getByRole('link').getAttribute('href')).toBe('/applications?cluster=us-east-prod');
    await box.getByRole('button', { name: 'Remove', exact: true }).click();
    await box.getByRole('alert').getByText('applications still have cluster us-east-prod').waitFor();

    expect(await box.getByRole('alert').innerText()).toContain('Delete or move them first.');
    expect(await page.locator('.toast').count()).toBe(0);
    await box.getByRole('button', { name: 'Cancel' }).click();
    await gone(page);
    expect(await row(page, 'us-east-prod').count()).toBe(1);
    expect(await focused(page)).toBe('button Actions for us-east-prod');
  });

  it('is removed where none does', async () => {
    api().registry.change('POST', '/clusters', { name: 'unused', identity: 'static' });
    const { page } = await open('/clusters');
    const box = await choose(page, 'unused', 'Remove…');
    await box.getByRole('button', { name: 'Remove', exact: true }).click();

    await row(page, 'unused').waitFor({ state: 'detached' });
    await page.locator('.toast', { hasText: 'unused is removed' }).waitFor();
  });

  it('has nothing to renew where its agent comes with a role, and nothing to change for viewers', async () => {
    const [first] = api().registry.clusters;
    if (first === undefined) throw new Error('no cluster');
    first.identity = 'irsa';
    const { page } = await open('/clusters');
    const renew = page.getByRole('button', { name: 'Install the agent anew…' });
    await page.getByRole('button', { name: `Actions for ${first.id}` }).click();
    expect([await renew.getAttribute('aria-disabled'), await renew.getAttribute('title')]).toEqual([
      'true',
      'Its agent comes with an IAM role (irsa): there is no token to renew',
    ]);
    api().setRole('viewer');
    const again = await open('/clusters');
    expect(await again.page.getByRole('button', { name: 'Add cluster…' }).getAttribute('title')).toBe(
      'The role viewer may look but not change',
    );
  });
});

describe('a silent cluster', () => {
  it('is named with since when and what to look at, and no more once it is heard', async () => {
    const { page } = await open('/clusters');
    await row(page, 'edge-zurich-1').getByText('Not heard').waitFor();
    const banner = page.locator('.banner');
    expect(await banner.innerText()).toMatch(/Not heard: edge-zurich-1 \(1h ago\)/);
    expect(await banner.innerText()).toContain('kubectl --namespace hawser-system logs deployment/hawser-agent');

    await eventually('the stream is open', async () => api().openStreams() > 0);
    api().registry.connect('edge-zurich-1');
    await banner.waitFor({ state: 'detached' });
    await row(page, 'edge-zurich-1').getByText('Connected').waitFor();
  });

  it('keeps the page inside a narrow window, with its actions in reach', async () => {
    const { page } = await open('/clusters', { width: 375, height: 700 });
    await row(page, 'edge-zurich-1').waitFor();

    expect(await sideways(page)).toBe(0);
    const menu = page.getByRole('button', { name: 'Actions for edge-zurich-1' });
    const right = await menu.evaluate((element) => element.getBoundingClientRect().right);
    expect(right).toBeLessThanOrEqual(375);
  });
});
