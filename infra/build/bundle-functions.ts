import { cp, readFile, stat } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { bundleRenderSandbox } from './bundle-render.ts';

const root = join(import.meta.dirname, '../..');
const entries = join(root, 'functions/entry/aws');

/** Files of functions/entry/aws that are one function each: those that export a `handler`. */
export async function functionNames(): Promise<string[]> {
  const names: string[] = [];
  for (const file of readdirSync(entries).filter((name) => name.endsWith('.ts'))) {
    const text = await readFile(join(entries, file), 'utf8');
    if (/^export (const|async function|function) handler\b/m.test(text)) names.push(file.slice(0, -'.ts'.length));
  }
  return names.sort();
}

/** A bundled function and its size in bytes. */
export interface BundledFunction {
  name: string;
  file: string;
  bytes: number;
}

/**
 * Bundles functions (all, or those named) into `outDir/NAME/index.mjs`: one minified ES module each, everything in it, for
 * Lambda's Node 24. The dashboard's files go beside the api's, where `outDir/../dashboard` has been built.
 */
export async function bundleFunctions(
  only?: readonly string[],
  outDir: string = join(root, 'dist/functions'),
): Promise<BundledFunction[]> {
  const names = (await functionNames()).filter((name) => only === undefined || only.includes(name));
  const bundled: BundledFunction[] = [];
  for (const name of names) {
    const file = join(outDir, name, 'index.mjs');
    // The sandbox starts a process of its own, which needs a file beside it.
    await (name === 'render-sandbox' ? bundleRenderSandbox(join(outDir, name)) : bundle(name, file));
    bundled.push({ name, file, bytes: (await stat(file)).size });
  }
  const dashboard = join(outDir, '..', 'dashboard');
  if (names.includes('api') && existsSync(dashboard))
    await cp(dashboard, join(outDir, 'api', 'dashboard'), { recursive: true });
  return bundled;
}

async function bundle(name: string, outfile: string): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  await build({
    absWorkingDir: root,
    entryPoints: [join(entries, `${name}.ts`)],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    conditions: ['module'],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"', HAWSER_VERSION: JSON.stringify(version) },
    // CommonJS dependencies call require for Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [withoutLocales, withoutAddons, httpByRequire],
  });
}

/** zod brings its messages in fifty languages; English is the one that is used. */
const withoutLocales: Plugin = {
  name: 'zod-without-locales',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /locales\/index\.js$/ }, ({ path, importer }) =>
      importer.includes('/zod/') ? { path, namespace: 'english-only', pluginData: importer } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'english-only' }, () => ({
      contents: "export { default as en } from 'zod/v4/locales/en.js';",
      resolveDir: root,
      loader: 'js',
    }));
  },
};

/** Compiled addons are for one processor and optional for who asks for them: asking throws, as where they are not built. */
const withoutAddons: Plugin = {
  name: 'without-addons',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, namespace: 'addon' }));
    onLoad({ filter: /.*/, namespace: 'addon' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in the bundle`)});`,
      loader: 'js',
    }));
  },
};

/**
 * Importing node:http as an ES module reads all that it exports, and so loads the fetch that it exports too: 20 ms of CPU
 * that functions without HTTP never need. Requiring it does not.
 */
const httpByRequire: Plugin = {
  name: 'http-by-require',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?https?$/ }, ({ path, namespace }) =>
      namespace === 'required' ? undefined : { path: path.replace('node:', ''), namespace: 'required' },
    );
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('node:${path}');`,
      loader: 'js',
    }));
  },
};
