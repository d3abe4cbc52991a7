import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { build } from 'vite';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Builds the dashboard into `outDir`, which is emptied first: `index.html` (to be served without caching, and for every
 * address that no file answers) and `assets/` with hashes in the names (cacheable for ever).
 * Everything it needs is in the repository and its dependencies; nothing is fetched.
 */
export async function buildDashboard(outDir: string): Promise<void> {
  // Vite takes React's development build where this says anything else, as it does in a run of tests: twice the size and slower,
  // and what a test run built is what the next start serves.
  Object.assign(process.env, { NODE_ENV: 'production' });
  await build({
    mode: 'production',
    root: join(repository, 'dashboard'),
    configFile: false,
    envDir: false,
    logLevel: 'warn',
    base: '/',
    plugins: [react()],
    build: {
      outDir: resolve(outDir),
      emptyOutDir: true,
      target: 'es2022',
      // The style sheets rely on light-dark(); it is not to be rewritten for older browsers.
      cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
      // The page's policy is default-src 'self': nothing may become a data: address.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 1000,
    },
  });
}

/** Bytes after gzip of what the first page loads: scripts and style sheets that index.html names. */
export async function initialSize(outDir: string): Promise<{ script: number; style: number }> {
  const html = await readFile(join(outDir, 'index.html'), 'utf8');
  const size = { script: 0, style: 0 };
  for (const [, path = ''] of html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)) {
    const bytes = gzipSync(await readFile(join(outDir, path)), { level: 9 }).length;
    size[path.endsWith('.css') ? 'style' : 'script'] += bytes;
  }
  return size;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const outDir = process.argv[2] ?? join(repository, 'dist/dashboard');
  await buildDashboard(outDir);
  const { script, style } = await initialSize(outDir);
  const files = await readdir(join(outDir, 'assets'));
  process.stdout.write(
    `${outDir}: ${files.length} assets, first load ${(script / 1000).toFixed(1)} kB of script and ${(style / 1000).toFixed(1)} kB of style after gzip\n`,
  );
}
