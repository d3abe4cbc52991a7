import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { ensureDashboard } from '#localstack/builds.ts';
import { openBrowser, openPage } from '#test/kit/browser.ts';
import { startFixtureApi, type FixtureApi } from './fixture-api.ts';

export interface OpenOptions {
  width?: number;
  height?: number;
  dark?: boolean;
}

/** A page that closes itself at the end of its test. */
export interface OpenPage extends AsyncDisposable {
  page: Page;
  errors: string[];
}

/** One browser and one fixture API for a file of tests; `open` opens an address of the dashboard in a context of its own. */
export function useDashboard(options: { applications: number; session?: boolean; syncMs?: number }): {
  api: () => FixtureApi;
  open: (path: string, options?: OpenOptions) => Promise<OpenPage>;
} {
  let api: FixtureApi;
  let browser: Browser;
  beforeAll(async () => {
    const dist = await ensureDashboard();
    [api, browser] = await Promise.all([startFixtureApi({ dist, ...options }), openBrowser()]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await api?.close();
  });
  beforeEach(() => {
    api.heal();
    api.changes.length = 0;
  });
  return {
    api: () => api,
    async open(path, pageOptions = {}) {
      const { page, errors } = await openPage(browser, pageOptions);
      page.setDefaultTimeout(10_000);
      await page.goto(`${api.url}${path}`);
      return { page, errors, [Symbol.asyncDispose]: () => page.close() };
    },
  };
}

/** Where an element is, in pixels of the window. */
export async function boxOf(locator: Locator): Promise<{ left: number; right: number; top: number; bottom: number }> {
  return locator.evaluate((element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return { left, right, top, bottom };
  });
}

/** The colour that a token of `tokens.css` comes to on this page, as computed styles say it. */
export async function tokenColour(page: Page, token: string): Promise<string> {
  return page.evaluate((name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }, token);
}

/** What the page has the focus on, as its role or tag with its name. */
export async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return 'page';
    const role = element.getAttribute('role') ?? element.tagName.toLowerCase();
    return `${role} ${element.getAttribute('aria-label') ?? element.textContent.trim()}`.trim();
  });
}

/** How far the page can be scrolled sideways, in pixels: 0 where it fits. */
export async function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
