import { findClosure, inputDigestOf } from '#functions/plan/closure/find-closure.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { Log } from '#shared/ports/log.ts';

/** What the reader tells the bench at its end. Times in milliseconds, memory in MiB. */
export interface Measured {
  coldBytes: number;
  coldMilliseconds: number;
  pushBytes: number[];
  pushMilliseconds: number[];
  startMegabytes: number;
  peakMegabytes: number;
}

/** How many pushes the reader asks for. */
export const pushCount = 15;

/** The process that the bench measures: one cold fetch, then pushes one after the other. */
async function read(url: string, cacheDir: string): Promise<Measured> {
  const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
  const source = createGitSource({ cacheDir, clock: createSystemClock(), log: quiet });
  const access = { organisation: 'demo', repository: 'large', url };
  const megabytes = (): number => Math.round(process.memoryUsage().rss / 1024 / 1024);
  const startMegabytes = megabytes();
  let peakMegabytes = 0;

  async function plan(folder: number, from?: string): Promise<{ milliseconds: number; bytes: number; commit: string }> {
    const before = source.bytesFetched();
    const started = performance.now();
    const { commit } = await source.resolve(access, 'main');
    const tree = await source.open(access, commit);
    if (from !== undefined) {
      const changed = await source.changedPaths(access, from, tree);
      if (changed?.join() !== `apps/app-${folder}/file-1.yaml`)
        throw new Error(`expected one changed file, got ${changed?.join()}`);
    }
    const application = { repository: 'large', url, revision: 'main', path: `apps/app-${folder}` };
    const directory = { recurse: false, include: '', exclude: '' };
    const context = { applicationName: 'app', namespace: 'default', kubeVersion: '', apiVersions: [] };
    const closure = await findClosure(tree, { ...application, render: { tool: 'auto', directory } }, context);
    if (closure.files.length !== 3) throw new Error('the closure is not what it should be');
    inputDigestOf([closure], { versions: {}, policyVersion: '1' });
    const milliseconds = performance.now() - started;
    peakMegabytes = Math.max(peakMegabytes, megabytes());
    return { milliseconds, bytes: source.bytesFetched() - before, commit };
  }

  const cold = await plan(0);
  const pushes: Awaited<ReturnType<typeof plan>>[] = [];
  let last = cold.commit;
  for (let round = 0; round < pushCount; round += 1) {
    const planned = await plan(await nextPush(), last);
    last = planned.commit;
    pushes.push(planned);
  }
  return {
    coldBytes: cold.bytes,
    coldMilliseconds: cold.milliseconds,
    pushBytes: pushes.map(({ bytes }) => bytes),
    pushMilliseconds: pushes.map(({ milliseconds }) => milliseconds),
    startMegabytes,
    peakMegabytes,
  };
}

function nextPush(): Promise<number> {
  return new Promise((resolve) => {
    process.once('message', (folder: number) => resolve(folder));
    process.send?.('push');
  });
}

const [, , url, cacheDir] = process.argv;
if (url !== undefined && cacheDir !== undefined && process.send !== undefined) process.send(await read(url, cacheDir));
