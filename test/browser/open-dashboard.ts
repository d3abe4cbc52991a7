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

/** The page, and what went wrong in it by itself since it was opened. */
export interface OpenPage {
  page: Page;
  errors: string[];
}

/**
 * One browser, one page and one fixture API for a file of tests. `open` loads an address anew in that page: a new page for each
 * test would take most of the tier's time. The dashboard keeps nothing between loads but a chosen theme.
 */
export function useDashboard(options: { applications: number; session?: boolean; syncMs?: number }): {
  api: () => FixtureApi;
  open: (path: string, options?: OpenOptions) => Promise<OpenPage>;
} {
  let api: FixtureApi;
  let browser: Browser;
  let only: OpenPage;
  beforeAll(async () => {
    const dist = await ensureDashboard();
    [api, browser] = await Promise.all([startFixtureApi({ dist, ...options }), openBrowser()]);
    only = await openPage(browser);
    only.page.setDefaultTimeout(10_000);
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
    async open(path, { width = 1280, height = 800, dark = false } = {}) {
      const { page, errors } = only;
      // Away first: an address that differs by its fragment alone would not be loaded.
      await page.goto('about:blank');
      await page.unrouteAll();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      errors.length = 0;
      await page.goto(`${api.url}${path}`, { waitUntil: 'commit' });
      return only;
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
