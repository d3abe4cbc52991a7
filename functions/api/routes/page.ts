import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';
import { Hono } from 'hono';
import { HawserError } from '#shared/errors.ts';
import { hasSession, openSession } from '../auth.ts';
import type { ApiContext, ApiDeps, ApiEnv } from '../context.ts';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
};

/** The dashboard's files; every other path that looks like a page of it is its `index.html`. */
export function pageRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('*', async (c) => {
    const folder = deps.dashboard;
    if (folder === undefined || c.req.path.startsWith('/api/') || c.req.path.startsWith('/webhooks/')) {
      throw new HawserError('not-found', `there is nothing at GET ${c.req.path}`);
    }
    const asset = await readAsset(folder, c.req.path);
    if (asset) {
      const cache = c.req.path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
      return c.body(asset.bytes, 200, { 'content-type': asset.type, 'cache-control': cache });
    }
    if (extname(c.req.path) !== '') throw new HawserError('not-found', `there is no file ${c.req.path}`);
    await openLoopbackSession(deps, c);
    const index = await readAsset(folder, '/index.html');
    if (index === undefined)
      throw new HawserError('unavailable', 'the dashboard has not been built', { hint: 'Run `npm run build`.' });
    return c.body(index.bytes, 200, { 'content-type': index.type, 'cache-control': 'no-cache' });
  });
  return app;
}

/**
 * On one machine with one user, opening the page is logging in: whoever can reach loopback can read the token's file
 * as well. Only for page loads that no foreign page caused, and only under a loopback name, so that neither another site
 * nor DNS rebinding gets a session.
 */
async function openLoopbackSession(deps: ApiDeps, c: ApiContext): Promise<void> {
  const session = deps.loopbackSession;
  if (session === undefined) return;
  const host = new URL(c.req.url).hostname;
  const site = c.req.header('sec-fetch-site');
  const isLoopback = host === '127.0.0.1' || host === 'localhost' || host === '[::1]';
  if (!isLoopback || (site !== undefined && site !== 'none' && site !== 'same-origin')) return;
  if (await hasSession(deps, c)) return;
  await openSession(deps, c, session.organisation, { user: session.user, role: 'admin' });
}

/** undefined where the path cannot be one of a file. */
function fileOf(folder: string, path: string): string | undefined {
  try {
    return normalize(join(folder, decodeURIComponent(path)));
  } catch {
    return undefined;
  }
}

async function readAsset(
  folder: string,
  path: string,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; type: string } | undefined> {
  const file = fileOf(folder, path);
  if (file === undefined || !file.startsWith(folder + sep)) return undefined;
  const type = types[extname(file)];
  if (type === undefined) return undefined;
  try {
    return { bytes: new Uint8Array(await readFile(file)), type };
  } catch {
    // Absent, or a folder: either way not a file of the page.
    return undefined;
  }
}
