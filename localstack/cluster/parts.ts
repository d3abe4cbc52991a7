import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HawserError } from '#shared/errors.ts';
import { withFileLock } from './file-lock.ts';
import { buildPart, checkGo } from './go-build.ts';
import {
  cacheName,
  catalog,
  goVersionOf,
  kustomizeVersion,
  readModule,
  type ModuleName,
  type Part,
  type PartKey,
  type SandboxParts,
} from './parts-catalog.ts';
import type { ReportProgress } from './progress.ts';

const run = promisify(execFile);

export interface EnsureOptions {
  /** Where built binaries are kept; default `$XDG_CACHE_HOME/hawser` or `~/.cache/hawser`. */
  cacheDir?: string;
  progress?: ReportProgress;
  signal?: AbortSignal;
  /** Default: this process's environment. */
  env?: NodeJS.ProcessEnv;
}

/**
 * The sandbox's binaries: from KUBEBUILDER_ASSETS, the cache or PATH, else built from Go modules (minutes, once).
 * Throws a HawserError that says the ways on when something is missing and cannot be built.
 */
export async function ensureSandboxParts(options: EnsureOptions = {}): Promise<SandboxParts> {
  const found = await ensureParts(catalog, options);
  return Object.fromEntries(found) as unknown as SandboxParts;
}

/** The path of kustomize v5.7.1 alone: from the cache or PATH (that version only), else built (seconds, once). */
export async function ensureKustomize(options: EnsureOptions = {}): Promise<string> {
  const found = await ensureParts(
    catalog.filter((part) => part.key === 'kustomize'),
    options,
  );
  return found.get('kustomize') ?? '';
}

/** The default cache folder, outside any repository. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'hawser');
}

async function ensureParts(parts: readonly Part[], options: EnsureOptions): Promise<Map<PartKey, string>> {
  const env = options.env ?? process.env;
  const cacheDir = options.cacheDir ?? defaultCacheDir(env);
  const first = await locate(parts, cacheDir, env);
  if (first.missing.length === 0) return first.found;
  await requireGo(first.missing, env);
  const lockOptions = {
    signal: options.signal,
    onWait: (holder: string) =>
      options.progress?.({ step: 'Waiting for the binaries', detail: `${holder} is building them` }),
  };
  return withFileLock(join(cacheDir, 'parts', 'build.lock'), lockOptions, async () => {
    const { found, missing } = await locate(parts, cacheDir, env);
    await buildAll(missing, found, cacheDir, { ...options, env });
    return found;
  });
}

async function buildAll(
  missing: readonly Part[],
  found: Map<PartKey, string>,
  cacheDir: string,
  options: EnsureOptions & { env: NodeJS.ProcessEnv },
): Promise<void> {
  const total = missing.reduce((sum, part) => sum + part.seconds, 0);
  let done = 0;
  const assets = options.env['KUBEBUILDER_ASSETS'] ?? '';
  if (assets !== '' && missing.length > 0) {
    const detail = `KUBEBUILDER_ASSETS lacks ${missing.map((part) => part.binary).join(', ')}: building those`;
    options.progress?.({ step: 'Looking for the binaries', detail });
  }
  for (const [index, part] of missing.entries()) {
    const label = `Building ${part.binary} (${index + 1} of ${missing.length}, only this once)`;
    const target = cachedPath(part, cacheDir);
    await buildPart(part, target, { label, done, total }, options);
    await rm(`${target}.build.log`, { force: true });
    found.set(part.key, target);
    done += part.seconds;
    options.progress?.({ step: `Built ${part.binary}`, fraction: done / total });
  }
}

async function locate(
  parts: readonly Part[],
  cacheDir: string,
  env: NodeJS.ProcessEnv,
): Promise<{ found: Map<PartKey, string>; missing: Part[] }> {
  const found = new Map<PartKey, string>();
  const missing: Part[] = [];
  for (const part of parts) {
    const path = await locatePart(part, cacheDir, env);
    if (path === undefined) missing.push(part);
    else found.set(part.key, path);
  }
  return { found, missing };
}

/** Handed-in assets come first, then what was built here, then PATH. */
async function locatePart(part: Part, cacheDir: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const assets = env['KUBEBUILDER_ASSETS'] ?? '';
  if (assets !== '' && (await isExecutable(join(assets, part.binary)))) return join(assets, part.binary);
  const cached = cachedPath(part, cacheDir);
  if (await isExecutable(cached)) return cached;
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const path = join(folder, part.binary);
    if ((await isExecutable(path)) && (await isUsable(part, path))) return path;
  }
  return undefined;
}

function cachedPath(part: Part, cacheDir: string): string {
  return join(cacheDir, 'parts', cacheName(part.module, readModule(part.module)), part.binary);
}

/** A part on PATH is somebody else's choice of version: kustomize must be the pinned one, the others of our minor. */
async function isUsable(part: Part, path: string): Promise<boolean> {
  try {
    const { stdout } = await run(path, [part.binary === 'kustomize' ? 'version' : '--version']);
    return isPinnedVersion(part, stdout);
  } catch {
    return false;
  }
}

/** Whether a binary's version output is near enough to what would be built: exact for kustomize, else the same minor. */
export function isPinnedVersion(part: Part, output: string): boolean {
  const version = /v?(\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (version === undefined) return false;
  if (part.key === 'kustomize') return `v${version}` === kustomizeVersion;
  return minorOf(version) === minorOf(requiredVersion(part));
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function requiredVersion(part: Part): string {
  const name = { kubernetes: 'k8s.io/kubernetes', kwok: 'sigs.k8s.io/kwok', kustomize: '' }[part.module];
  const wanted = part.key === 'etcd' ? 'go.etcd.io/etcd/server/v3' : name;
  const line = readModule(part.module)
    .goMod.split('\n')
    .find((text) =>
      text
        .trim()
        .replace(/^require /, '')
        .startsWith(`${wanted} v`),
    );
  return /v(\d+\.\d+\.\d+)/.exec(line ?? '')?.[1] ?? '';
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function requireGo(missing: readonly Part[], env: NodeJS.ProcessEnv): Promise<void> {
  for (const module of new Set(missing.map((part) => part.module))) {
    const state = await checkGo(module, env);
    if (!state.ok) throw missingPartsError(missing, state.reason, module, env['KUBEBUILDER_ASSETS']);
  }
}

/** What to tell someone without the binaries and without Go: what is missing, why, and the three ways on. */
export function missingPartsError(
  missing: readonly Part[],
  reason: string,
  module: ModuleName,
  assets: string | undefined,
): HawserError {
  const names = missing.map((part) => part.binary).join(', ');
  const where = assets === undefined || assets === '' ? '' : ` (KUBEBUILDER_ASSETS=${assets} does not hold them)`;
  const onlyKustomize = missing.every((part) => part.key === 'kustomize');
  const go = `install Go ${goVersionOf(readModule(module).goMod)} or newer (https://go.dev/dl) and start again`;
  const ways = onlyKustomize
    ? [go, `put kustomize ${kustomizeVersion} on PATH`]
    : [
        go,
        `set KUBEBUILDER_ASSETS to a folder with ${catalog
          .filter((part) => part.key !== 'kustomize')
          .map((part) => part.binary)
          .join(', ')} (setup-envtest has the first two)`,
        'use a cluster of yours: npm start -- --context NAME',
      ];
  const list = ways.map((way, index) => `  ${index + 1}. ${way}`).join('\n');
  const text = `The sandbox needs ${names}${where}, and cannot build them: ${reason}.\nWays on:\n${list}`;
  return new HawserError('unavailable', text, { hint: ways.join('; or '), data: { missing: names } });
}
