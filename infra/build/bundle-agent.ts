import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/**
 * Node flags that every launcher of the agent passes: small young generation, a heap that fits the budget of 300 MiB.
 * They cost some throughput and save tens of megabytes.
 */
export const agentNodeFlags: string[] = ['--max-old-space-size=220', '--max-semi-space-size=2'];

/** Environment for the same end: one malloc arena instead of eight for each core, two threads for what blocks. */
export const agentEnvironment: Record<string, string> = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2' };

/**
 * Bundles the agent into one minified file with its source map beside it: what the image holds, `npm start` runs and the
 * cluster tests test. `outFile` must end in `.mjs`. What only direct access to a cloud needs (the AWS SDK) lies in `parts/`
 * beside it and is read when it is used: within the file it cost agents that speak HTTPS 10 MB although it never ran.
 */
export async function bundleAgent(outFile: string): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = dirname(outFile);
  // Names of parts hold a hash: those of earlier builds would stay for ever.
  await rm(join(folder, 'parts'), { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: [{ in: 'agent/main.ts', out: basename(outFile, '.mjs') }],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'parts/[name]-[hash]',
    splitting: true,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // The SDK's ES modules, of which only the commands in use stay; CommonJS would bring all of them.
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'linked',
    logLevel: 'warning',
    define: { AGENT_VERSION: JSON.stringify(version) },
    // CommonJS dependencies call require for Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [whatIsUsed],
  });
}

/**
 * Of client-node the agent uses KubeConfig, which hands out TLS material and headers. What hangs on it only to serve
 * client-node's own fetch client (undici and proxies, generated models, WebSockets) costs 20 MB resident at start,
 * so it is left out. Kubeconfigs, exec plugins, OIDC and ServiceAccounts stay.
 */
const whatIsUsed: Plugin = {
  name: 'what-is-used',
  setup({ onResolve, onLoad }) {
    const unused =
      /^(undici|socks|socks-proxy-agent|hpagent|isomorphic-ws|ws|jsonpath-plus|\.\/gen\/index\.js|\.\/api\.js)$/;
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({
      path: join(root, 'node_modules/@kubernetes/client-node/dist/config.js'),
      sideEffects: false,
    }));
    onResolve({ filter: unused }, ({ path, importer }) =>
      importer.includes('@kubernetes/client-node/') ? { path, namespace: 'left-out' } : undefined,
    );
    // zod's sentences in forty languages are half of it.
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, ({ path, importer }) =>
      importer.includes('/zod/') ? { path, namespace: 'left-out', sideEffects: false } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
  },
};
