import { describe, expect, it } from 'vitest';
import { eventually } from '#test/kit/product.ts';
import { api, open } from './open-dashboard.ts';

/** Trouble with a source starts or ends: the stream says `reload`, because it does not know which applications read the source. */

const trouble = {
  message: 'the host of the repository does not answer',
  conditions: [
    {
      type: 'ComparisonError',
      message: 'the host of the repository does not answer',
      lastTransitionTime: new Date(Date.now() - 7_300_000).toISOString(),
    },
  ],
};

async function streamIsOpen(): Promise<void> {
  await eventually('the stream is open', async () => api().openStreams() > 0);
}

// While the stream is live views ask by themselves once a minute only: what is seen within the 10 s of a wait came by `reload`.
describe('trouble with a source', () => {
  it('is on an open page of an application at once, with since when', async () => {
    const { page, errors } = await open('/applications/search-web/history');
    await page.locator('.history').waitFor();
    await streamIsOpen();
    api().reload('search-web', trouble);

    const banner = page.getByRole('alert').filter({ hasText: 'ComparisonError' });
    await banner.getByText(trouble.message).waitFor();
    expect(await banner.innerText()).toMatch(/ComparisonError\s+since 2h/);
    expect(await banner.innerText()).toContain('The last good snapshot stays applied.');
    expect(errors).toEqual([]);
  });

  it('goes from it at once when it ends', async () => {
    api().reload('search-web', trouble);
    const { page } = await open('/applications/search-web/history');
    await page.getByRole('alert').getByText(trouble.message).waitFor();
    await streamIsOpen();
    api().reload('search-web', { message: undefined, conditions: [] });

    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  it('is in the list at once, which stays searched', async () => {
    const { page } = await open('/applications?search=search-web');
    const row = page.locator('.applications tr[data-id=search-web]');
    await row.waitFor();
    await streamIsOpen();
    expect(await row.innerText()).not.toContain(trouble.message);
    api().reload('search-web', trouble);

    await row.getByText(trouble.message).waitFor();
    expect(new URL(page.url()).search).toBe('?search=search-web');
  });
});
