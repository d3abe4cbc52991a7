import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleAgent } from '#infra/build/bundle-agent.ts';
import { buildDashboard } from '#infra/build/build-dashboard.ts';

const root = join(import.meta.dirname, '..');

/** Where what ships is built to, in this checkout. */
export const distFolder = join(root, 'dist');

/** The agent's bundle, built anew when its sources changed. Returns its path. */
export async function ensureAgentBundle(): Promise<string> {
  const file = join(distFolder, 'agent', 'agent.mjs');
  await ensureBuilt(join(distFolder, 'agent'), ['agent', 'shared', 'infra/build', 'package-lock.json'], () =>
    bundleAgent(file),
  );
  return file;
}

/** The dashboard's files, built anew when its sources changed. Returns the folder. */
export async function ensureDashboard(): Promise<string> {
  const folder = join(distFolder, 'dashboard');
  await ensureBuilt(folder, ['dashboard', 'shared/messages', 'infra/build', 'package-lock.json'], () =>
    buildDashboard(folder),
  );
  return folder;
}

/** Builds unless the stamp beside the result names exactly these sources. */
async function ensureBuilt(folder: string, sources: readonly string[], build: () => Promise<void>): Promise<void> {
  const stampFile = `${folder}.stamp`;
  const stamp = digestOfSources(sources);
  if (existsSync(stampFile) && existsSync(folder) && readFileSync(stampFile, 'utf8') === stamp) return;
  mkdirSync(folder, { recursive: true });
  await build();
  writeFileSync(stampFile, stamp);
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
