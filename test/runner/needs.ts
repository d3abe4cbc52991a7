import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ensureSandboxParts, type Progress } from '#localstack/cluster/sandbox.ts';
import { availableEmulators, installEmulators } from '#localstack/emulators/emulators.ts';
import { HawserError } from '#shared/errors.ts';
import type { NeedName } from './tiers.ts';

const run = promisify(execFile);

/** What was found on this machine. `missing` says what is not there and how to get it. */
export type Need =
  | { ok: true; found: string; prepare?: (tell: (progress: Progress) => void) => Promise<void> }
  | Missing;

export interface Missing {
  ok: false;
  missing: string;
}

const look: Record<NeedName, () => Promise<Need>> = {
  git: lookForGit,
  sandbox: lookForSandbox,
  chromium: lookForChromium,
  emulators: lookForEmulators,
};

/** Looks for each need; nothing is installed, and only `prepare` builds. */
export async function lookForNeeds(names: Iterable<NeedName>): Promise<Map<NeedName, Need>> {
  const found = new Map<NeedName, Need>();
  for (const name of new Set(names)) found.set(name, await look[name]());
  return found;
}

/** Chromium's path: Debian's, or the one that CHROMIUM names. */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const candidates = [env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  for (const path of candidates) {
    if (path !== undefined && path !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function lookForGit(): Promise<Need> {
  try {
    const { stdout } = await run('git', ['--version']);
    await run('git', ['http-backend'], { env: { PATH: process.env['PATH'] } }).catch(requireBackend);
    return { ok: true, found: stdout.trim() };
  } catch {
    return { ok: false, missing: 'git with its http-backend is not there: apt-get install git' };
  }
}

/** Without a request it always ends in an error; only «is not a git command» means that it is not installed. */
function requireBackend(error: Error & { stderr?: string }): void {
  if ((error.stderr ?? '').includes('not a git command')) throw error;
}

async function lookForSandbox(): Promise<Need> {
  if (process.platform !== 'linux') return { ok: false, missing: 'the sandbox cluster runs on Linux' };
  try {
    // With a signal that is already given, it looks and never builds.
    await ensureSandboxParts({ signal: AbortSignal.abort() });
    return { ok: true, found: 'Kubernetes for the sandbox: built already' };
  } catch (error) {
    if (error instanceof HawserError && error.code === 'unavailable') return { ok: false, missing: error.message };
    return {
      ok: true,
      found: 'Kubernetes for the sandbox: will be built (once, about 6 minutes on 2 cores)',
      prepare: buildSandboxParts,
    };
  }
}

async function buildSandboxParts(tell: (progress: Progress) => void): Promise<void> {
  await ensureSandboxParts({ progress: tell });
}

async function lookForChromium(): Promise<Need> {
  const path = await findChromium();
  if (path === undefined)
    return { ok: false, missing: 'Chromium is not there: apt-get install chromium (or set CHROMIUM)' };
  const { stdout } = await run(path, ['--version'], { timeout: 30_000 }).catch(() => ({ stdout: path }));
  return { ok: true, found: stdout.trim() };
}

async function lookForEmulators(): Promise<Need> {
  const all = Object.values(await availableEmulators());
  const reasons = all.flatMap((one) => (one.ok ? [] : [one.reason]));
  if (reasons.length > 0) return { ok: false, missing: reasons.join('; ') };
  const installed = all.every((one) => one.ok && one.installed);
  const found = `emulators of AWS: ${installed ? 'installed already' : 'will be installed (once, about a minute)'}`;
  return { ok: true, found, prepare: (tell) => installEmulators({ progress: tell }) };
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
