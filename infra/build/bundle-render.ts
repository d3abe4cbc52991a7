import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { toolVersions } from '#shared/adapters/render/toolchain.ts';
import { HawserError } from '#shared/errors.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/**
 * Bundles `render-sandbox` into `outDir`: `index.mjs` (the handler) and `render-worker.mjs` (what it starts for each job,
 * in a process of its own: it has to be a file beside it). Nothing is left to be loaded from node_modules.
 */
export async function bundleRenderSandbox(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: {
      index: 'functions/entry/aws/render-sandbox.ts',
      'render-worker': 'shared/adapters/render/render-worker.ts',
    },
    outdir: outDir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    legalComments: 'linked',
    logLevel: 'warning',
    // CommonJS dependencies call require for Node's own modules.
    banner: {
      js: "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url);",
    },
  });
}

/**
 * Lays out the layer with kustomize's own binary in `outDir` (`kustomize/kustomize`, on Lambda below /opt), from
 * `kustomize`, else from `HAWSER_KUSTOMIZE`, else from where the sandbox's parts are built to. False, and no folder,
 * where there is none: kubectl's kustomize serves then. Throws `invalid-input` for one of another version or platform.
 */
export async function layOutKustomizeLayer(
  outDir: string,
  kustomize: string | undefined = process.env['HAWSER_KUSTOMIZE'],
): Promise<boolean> {
  await rm(outDir, { recursive: true, force: true });
  const source = kustomize ?? (await builtKustomize());
  if (source === undefined) return false;
  await requirePinned(source);
  const target = join(outDir, 'kustomize', 'kustomize');
  await mkdir(join(outDir, 'kustomize'), { recursive: true });
  await copyFile(source, target);
  await chmod(target, 0o755);
  return true;
}

/** The newest of the cache (`kustomize-HASH-linux-x64`); older ones are those of earlier pins. */
async function builtKustomize(): Promise<string | undefined> {
  const base = process.env['XDG_CACHE_HOME'];
  const parts = join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'hawser', 'parts');
  const names = await readdir(parts).catch(() => []);
  const built = await Promise.all(
    names
      .filter((name) => /^kustomize-[0-9a-f]+-linux-x64$/.test(name))
      .map(async (name) => ({ path: join(parts, name, 'kustomize'), at: (await stat(join(parts, name))).mtimeMs })),
  );
  return built.toSorted((a, b) => b.at - a.at)[0]?.path;
}

/** The layer serves x86_64: whoever builds elsewhere cannot run the binary, and is told so. */
async function requirePinned(path: string): Promise<void> {
  const printed = await run(path, ['version'], { env: { HOME: '/nonexistent' } }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => `nothing (${error instanceof Error ? error.message : String(error)})`,
  );
  if (printed === `v${toolVersions.kustomize}` && process.platform === 'linux' && process.arch === 'x64') return;
  throw new HawserError('invalid-input', `${path} says ${printed} on ${process.platform} ${process.arch}`, {
    hint: `Give kustomize v${toolVersions.kustomize} for linux x64, or none: kubectl's serves then.`,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(root, 'dist');
  await bundleRenderSandbox(join(dist, 'functions', 'render-sandbox'));
  const hasLayer = await layOutKustomizeLayer(join(dist, 'layers', 'kustomize'), process.argv[2]);
  console.log(
    `built dist/functions/render-sandbox${hasLayer ? ' and dist/layers/kustomize' : '; no kustomize for a layer'}`,
  );
}
