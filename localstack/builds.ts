import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HawserError } from '#shared/errors.ts';
import { withFileLock } from './cluster/file-lock.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');

/** Where what ships is built to, in this checkout. */
export const distFolder = join(root, 'dist');

/** The agent's bundle, built anew when its sources changed. Returns its path. */
export async function ensureAgentBundle(): Promise<string> {
  const file = join(distFolder, 'agent', 'agent.mjs');
  await ensureBuilt('agent', ['agent', 'shared', 'infra/build', 'package-lock.json']);
  return file;
}

/** The dashboard's files, built anew when their sources changed. Returns the folder. */
export async function ensureDashboard(): Promise<string> {
  await ensureBuilt('dashboard', ['dashboard', 'shared', 'infra/build', 'package-lock.json']);
  return join(distFolder, 'dashboard');
}

/**
 * The functions' bundles, `NAME/index.mjs`, built anew when their sources changed. Returns the folder. The page has to be there
 * first: the api's bundle holds it.
 */
export async function ensureFunctions(): Promise<string> {
  await ensureBuilt('functions', ['functions', 'shared', 'dashboard', 'infra/build', 'package-lock.json']);
  return join(distFolder, 'functions');
}

type Part = 'agent' | 'dashboard' | 'functions';

/** Builds unless the stamp beside the result names exactly these sources; of several that start at once, one builds. */
async function ensureBuilt(part: Part, sources: readonly string[]): Promise<void> {
  const folder = join(distFolder, part);
  const stampFile = `${folder}.stamp`;
  const stamp = digestOfSources(sources);
  const isBuilt = () => existsSync(stampFile) && existsSync(folder) && readFileSync(stampFile, 'utf8') === stamp;
  if (isBuilt()) return;
  await withFileLock(`${folder}.lock`, {}, async () => {
    if (isBuilt()) return;
    mkdirSync(folder, { recursive: true });
    await build(part);
    writeFileSync(stampFile, stamp);
  });
}

/** In a process of its own: bundlers stay in memory. */
async function build(part: Part): Promise<void> {
  try {
    await run(process.execPath, [join(root, 'infra', 'build', 'build.ts'), part], { cwd: root });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new HawserError(
      'internal',
      `the ${part} cannot be built: ${stderr?.trim().slice(0, 2000) ?? String(error)}`,
      { cause: error },
    );
  }
}

function digestOfSources(sources: readonly string[]): string {
  const hash = createHash('sha256');
  const files = sources.flatMap((source) => {
    const path = join(root, source);
    if (!existsSync(path)) return [];
    const entries = source.includes('.') ? [''] : readdirSync(path, { recursive: true, encoding: 'utf8' });
    return entries.map((entry) => join(path, entry));
  });
  for (const file of files.sort()) {
    if (!/\.(ts|tsx|css|html|json|svg)$/.test(file)) continue;
    hash.update(file.slice(root.length)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}
