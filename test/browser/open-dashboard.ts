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

let shared: { api: FixtureApi; browser: Browser } & OpenPage;

beforeAll(async () => {
  const dist = await ensureDashboard();
  const [fixture, browser] = await Promise.all([
    startFixtureApi({ dist, applications: 1000, syncMs: 150 }),
    openBrowser(),
  ]);
  shared = { api: fixture, browser, ...(await openPage(browser)) };
  shared.page.setDefaultTimeout(10_000);
}, 120_000);

afterAll(async () => {
  await shared?.browser.close();
  await shared?.api.close();
});

beforeEach(() => {
  shared.api.reset();
});

/** The API that the page asks; before each test it is as new. */
export function api(): FixtureApi {
  return shared.api;
}

/**
 * Loads an address anew in the one page that all tests share: a page of its own for each would take most of the tier's time.
 * The dashboard keeps nothing between loads but a chosen theme.
 */
export async function open(path: string, options: OpenOptions = {}): Promise<OpenPage> {
  const { page, errors } = shared;
  const { width = 1280, height = 800, dark = false } = options;
  // An address that differs by its fragment alone would not be loaded.
  if (path.includes('#')) await page.goto('about:blank');
  await page.unrouteAll();
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  errors.length = 0;
  await page.goto(`${shared.api.url}${path}`, { waitUntil: 'commit' });
  return { page, errors };
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
