import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, focused, open, sideways } from './open-dashboard.ts';

/** One application's page: what it says, tab by tab, and what it does where there is nothing or where the API fails. */

const tabs = ['Resources', 'Diff', 'Events', 'History', 'Manifest'] as const;
const address = (id: string, tab: string) => `/applications/${id}${tab === 'Resources' ? '' : `/${tab.toLowerCase()}`}`;
/** What only this tab shows. */
const signOf: Record<(typeof tabs)[number], string> = {
  Resources: '.tree',
  Diff: '.diff-tab',
  Events: '.events',
  History: '.history',
  Manifest: '.code-frame',
};

describe('the tabs', () => {
  it('open by click, and the address holds which', async () => {
    const { page, errors } = await open('/applications/search-web');
    for (const tab of tabs.toReversed()) {
      await page.getByRole('tab', { name: tab }).click();
      await page.locator(signOf[tab]).waitFor();

      expect(new URL(page.url()).pathname).toBe(address('search-web', tab));
      expect(await page.locator('[role=tab][aria-selected=true]').allInnerTexts()).toEqual([
        expect.stringMatching(new RegExp(`^${tab}`)),
      ]);
    }
    expect(errors).toEqual([]);
  });

  it('open by keyboard: by number, and by the arrows, of which only the chosen one is a stop of Tab', async () => {
    const { page } = await open('/applications/search-web');
    await page.locator('.tree').waitFor();
    for (const [index, tab] of tabs.entries()) {
      await page.keyboard.press(String(index + 1));
      await page.locator(signOf[tab]).waitFor();
    }
    await page.getByRole('tab', { name: 'Manifest' }).focus();

    await page.keyboard.press('ArrowRight');
    await page.locator('.tree').waitFor();
    expect(await focused(page)).toMatch(/^tab Resources/);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.locator('.history').waitFor();
    expect(await focused(page)).toBe('tab History');
    expect(await page.locator('[role=tab][tabindex="0"]').count()).toBe(1);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.closest('[role=tabpanel]') !== null)).toBe(true);
  });

  it('open by address, which a reload keeps with the filter and the object that is open', async () => {
    const { page } = await open('/applications/search-web?filter=&view=tree');
    await page.getByPlaceholder('Filter by kind or name').fill('deployment');
    await page.getByRole('row', { name: 'Deployment search/search-web', exact: true }).click();
    await page.locator('.panel').waitFor();
    await page.reload();
    await page.locator('.panel h2', { hasText: 'Deployment search/search-web' }).waitFor();
    expect(await page.getByPlaceholder('Filter by kind or name').inputValue()).toBe('deployment');

    await page.goto(`${api().url}/applications/search-web/nonsense`);
    await page.getByText('There is no page at this address').waitFor();
    expect(await page.getByRole('tab').count()).toBe(0);
  });
});

describe('the facts', () => {
  it('say how it is, what is applied by whom, where from and where to', async () => {
    const detail = api().application('search-web');
    const { page } = await open('/applications/search-web');
    await page.locator('.facts').waitFor();
    const facts = await page
      .locator('.fact')
      .evaluateAll((elements) =>
        Object.fromEntries(
          elements.map((element) => [element.children[0]?.textContent, element.children[1]?.textContent]),
        ),
      );

    expect(facts['Health']).toBe('Healthy');
    expect(facts['Sync status']).toMatch(/^OutOfSyncautomated7 objects, 1 with drift$/);
    expect(facts['Revision']).toContain(detail.revision?.slice(0, 7));
    expect(facts['Revision']).toContain(`${detail.commit?.message.split('\n')[0]}${detail.commit?.author}`);
    expect(facts['Last operation']).toMatch(/^Succeeded.* ago, took 2\.0 sgeneration 806 · automated$/);
    expect(facts['Source']).toBe('git.example.com/platform/deployapps/search/search-web at main');
    expect(facts['Destination']).toBe('eu-west-staging/searchproject search');
  });

  it('follow the stream without being asked again by hand', async () => {
    const { page } = await open('/applications/payments-ledger');
    const fact = page.locator('.fact', { has: page.getByText('Health', { exact: true }) });
    await fact.getByText('Healthy').waitFor();
    await eventually('the stream is open', async () => api().openStreams() > 0);

    api().change('payments-ledger', { health: 'Degraded', healthMessage: 'crash loop of pod ledger-0' });

    await fact.getByText('crash loop of pod ledger-0').waitFor();
    await fact.locator('.status[data-status=Degraded]').waitFor();
  });

  it('never look well where the agent has not been heard (FT-107)', async () => {
    const { page } = await open('/applications/data-web');
    await page.locator('.banner', { hasText: 'has not been heard' }).waitFor();

    expect(await page.locator('.fact .status').count()).toBe(2);
    expect(await page.locator('.fact .status:not(.stale)').count()).toBe(0);
    await page.locator('.strip', { hasText: 'did not answer within 5 s' }).waitFor();
  });
});

describe('the tree', () => {
  it('shows what each object owns, with the health of each', async () => {
    const { page } = await open('/applications/payments-web');
    await page.locator('.tree').waitFor();
    const row = (name: string) => page.locator('.tree tbody tr[aria-level]', { hasText: name });

    expect(await row('payments-web-7d9c5b8f4-m4q7t').getAttribute('aria-level')).toBe('4');
    expect(await row('payments-web-7d9c5b8f4-m4q7t').innerText()).toMatch(/Pod[^]*Degraded[^]*14 restarts/);
    expect(await row('payments-web-7d9c5b8f4-x2k9p').locator('.status').innerText()).toBe('Healthy');
    expect(await row('payments-web-5f6d7c9b8').getAttribute('aria-level')).toBe('3');
    expect(await row('payments-web-credentials').innerText()).toMatch(/Secret[^]*Synced/);
    expect(await page.locator('.tree tbody tr[aria-level]').count()).toBe(1 + 7 + 7);
  });

  it('folds and unfolds by keyboard, and a folded object still says what is wrong below it', async () => {
    const { page } = await open('/applications/payments-web');
    const set = page.getByRole('row', { name: 'ReplicaSet payments/payments-web-7d9c5b8f4', exact: true });
    await set.waitFor();
    await set.focus();

    await page.keyboard.press('ArrowLeft');
    expect(await set.getAttribute('aria-expanded')).toBe('false');
    expect(await set.locator('.hidden-count').innerText()).toBe('3');
    await page.keyboard.press('ArrowRight');
    expect(await set.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('ArrowRight');
    await eventually('the first pod has the focus', async () => (await focused(page)).includes('m4q7t'));
    await page.keyboard.press('Enter');
    await page.locator('.panel h2', { hasText: 'm4q7t' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually('the panel has gone', async () => (await page.locator('.panel').count()) === 0);
  });

  it('shows only trouble where asked, and says where nothing matches', async () => {
    const { page } = await open('/applications/payments-web');
    await page.getByLabel('Only trouble').check();
    await page.locator('.tree tbody tr[aria-level]', { hasText: 'm4q7t' }).waitFor();
    expect(await page.locator('.tree').innerText()).not.toContain('payments-web-config');

    await page.getByPlaceholder('Filter by kind or name').fill('no such thing');
    await page.getByText('No resource matches').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.locator('.tree tbody tr[aria-level]', { hasText: 'payments-web-config' }).waitFor();
  });
});

describe('the drift', () => {
  it('is told field by field with both values, in the text too, and why it stays', async () => {
    const { page } = await open('/applications/search-web/diff');
    await page.locator('.fields').waitFor();

    expect(await page.locator('.fields tbody tr').allInnerTexts()).toEqual([
      expect.stringMatching(/\.spec\.replicas\s+5\s+3/),
      expect.stringMatching(/limits\.memory\s+"2Gi"\s+"512Mi"/),
    ]);
    expect(await page.locator('.drift > p').innerText()).toMatch(/^Drift, seen [5-9]m ago: self-heal is off$/);
    expect(await page.locator('.half.removed').allInnerTexts()).toContainEqual(expect.stringContaining('replicas: 5'));
    expect(await page.locator('.half.added').allInnerTexts()).toContainEqual(expect.stringContaining('replicas: 3'));
    expect(await page.locator('.list-item').count()).toBe(1);
    expect(await page.getByRole('tab', { name: 'Diff' }).innerText()).toMatch(/1$/);
  });

  it('leaves out what the cluster adds by itself until asked', async () => {
    const { page } = await open('/applications/search-web/diff');
    await page.locator('.half').first().waitFor();
    expect(await page.locator('.code.diff').innerText()).not.toContain('resourceVersion');

    await page.getByLabel('With fields set by the cluster').check();
    await page.getByText('resourceVersion').first().waitFor();
  });
});

describe('the events', () => {
  it('are newest first; older ones come when asked, warnings alone where chosen', async () => {
    const { page } = await open('/applications/search-web/events');
    const rows = page.locator('.events tbody tr');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(100);
    const times = await rows
      .locator('time')
      .evaluateAll((found) => found.map((time) => Date.parse(time.getAttribute('datetime') ?? '')));
    expect(times).toEqual([...times].sort((a, b) => b - a));

    await page.getByRole('button', { name: 'Show older' }).click();
    await eventually('200 events are shown', async () => (await rows.count()) === 200);
    await page.getByRole('radio', { name: 'Warnings' }).click();
    expect(await rows.locator('.status').allInnerTexts()).toEqual(['DriftDetected', 'HealthDegraded']);
  });
});

describe('where there is nothing', () => {
  it('each tab says so', async () => {
    const path = '/applications/shop-worker';
    api().change('shop-worker', { resources: [], objects: 0 });
    api().answer(/shop-worker\/tree/, { resources: [], nodes: [], live: true });
    api().answer(/shop-worker\/(events|history)/, { items: [] });
    api().answer(/shop-worker\/manifests/, { generation: 0, objects: [] });
    const { page, errors } = await open(`${path}?view=table`);
    await page.getByText('No resources yet').waitFor();
    for (const [tab, text] of [
      ['Diff', 'No drift'],
      ['Events', 'No events'],
      ['History', 'Nothing has been published yet'],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await page.getByText(text).waitFor();
    }
    await page.getByRole('tab', { name: 'Manifest' }).click();
    await page.getByRole('radio', { name: 'Snapshot' }).click();
    await page.getByText('The snapshot holds no objects').waitFor();
    expect(errors).toEqual([]);
  });

  it('an application that is not there is named, with a way back', async () => {
    const { page } = await open('/applications/no-such');
    await page.getByText('There is no application no-such').waitFor();
    await page.getByRole('link', { name: 'All applications', exact: true }).click();
    await page.locator('.applications').waitFor();
  });
});

describe('where the API fails', () => {
  it('says what failed and tries again when asked', async () => {
    api().fail(/^GET \/applications\/search-web$/, { status: 500, title: 'Internal error', detail: 'the row is torn' });
    const { page } = await open('/applications/search-web');
    await page.getByRole('alert').getByText('the row is torn').waitFor();
    expect(await page.getByRole('link', { name: 'Applications' }).count()).toBeGreaterThan(0);

    api().heal();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.tree').waitFor();
  });

  it('one tab’s failure leaves the facts and the other tabs as they are', async () => {
    api().fail(/\/(tree|events)$/, { status: 500, title: 'Internal error', detail: 'not this time' });
    const { page } = await open('/applications/search-web');
    for (const tab of ['Resources', 'Events'] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await page.locator('.tab-body').getByText('not this time').waitFor();
      expect(await page.locator('.facts').innerText()).toContain('OutOfSync');
    }
    await page.getByRole('tab', { name: 'History' }).click();
    await page.locator('.history').waitFor();
  });

  it('keeps what was read, says that it is old while the API is away, and comes back by itself', async () => {
    const { page } = await open('/applications/search-web');
    await page.locator('.tree').waitFor();
    await eventually('the stream is open', async () => api().openStreams() > 0);
    await page.route('**/api/v1/**', (route) => route.abort());
    api().change('search-web', {});

    const old = page.locator('.strip', { hasText: 'Could not refresh' });
    await old.first().waitFor();
    expect(await old.first().innerText()).toContain('The service did not answer.');
    expect(await page.locator('.facts').innerText()).toContain('OutOfSync');
    api().dropStreams(true);
    await page.unrouteAll();
    api().heal();
    await eventually('nothing is old any more', async () => (await old.count()) === 0);
  });

  it('shows that it is loading, under the name that is known already', async () => {
    api().slow(/^GET \/applications\/search-web$/, 500);
    const { page } = await open('/applications/search-web');
    await page.getByRole('status', { name: 'Loading the application' }).waitFor();
    expect(await page.locator('h1').innerText()).toBe('search-web');
    await page.locator('.facts').waitFor();
  });
});

describe('on a phone', () => {
  it('no tab scrolls sideways at 375 px, in the dark as in the light', async () => {
    const { page, errors } = await open('/applications/platform-web', { width: 375, height: 700, dark: true });
    const ground = async () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    for (const tab of tabs) {
      await page.getByRole('tab', { name: tab }).click();
      await page.locator(signOf[tab]).waitFor();
      expect([tab, await sideways(page)]).toEqual([tab, 0]);
    }
    const edges = await page
      .locator('.app-head .button, .fact, .banner')
      .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().right));
    expect(edges.length).toBeGreaterThan(8);
    expect(Math.max(...edges)).toBeLessThanOrEqual(375);
    expect(await ground()).toBe('rgb(16, 18, 20)');
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await ground()).toBe('rgb(255, 255, 255)');
    expect(await sideways(page)).toBe(0);
    expect(errors).toEqual([]);
  });
});
