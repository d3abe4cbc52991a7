import { availableParallelism } from 'node:os';

/** What a tier may find missing on a machine. */
export type NeedName = 'git' | 'sandbox' | 'chromium' | 'emulators';

/** One tier of tests: a folder of test/, a project of vitest.config.ts, a line of the result. */
export interface Tier {
  name: string;
  proves: string;
  needs: NeedName[];
  /** For one test and for one hook. */
  testSeconds: number;
  /** The whole tier is ended after that: a hang must not eat the machine's time. */
  limitMinutes: number;
  /** So many files run beside each other. */
  workers: number;
  /** A file under test/ that starts what all files of the tier share. */
  setup?: string;
}

/** What computes has a core for each file: vitest would leave one idle, on two cores half of the machine. */
const cores = availableParallelism();
/** What starts clusters or emulators waits for them half of the time, and needs half a GiB of memory for each. */
const withParts = Math.min(cores, 3);

/** In the order they run: what is quick to fail comes first. */
export const tiers: readonly Tier[] = [
  tier('architecture', 'the tree keeps its own rules', [], 30, 3, cores),
  tier('unit', 'one part, its dependencies given, no network but loopback', ['git'], 40, 12, cores),
  tier('contract', 'every adapter of a port behaves alike', ['git'], 60, 10, cores),
  tier('cluster', 'the agent and the sandbox against a real API server', ['git', 'sandbox'], 120, 12, withParts),
  tier('pipeline', 'the whole product in one process, from push to applied', ['git', 'sandbox'], 180, 15, withParts),
  tier('browser', 'the dashboard in Chromium on the whole product', ['git', 'sandbox', 'chromium'], 120, 10, 1),
  {
    ...tier('cloud', 'the adapters and entries of a cloud on its emulators', ['emulators'], 120, 20, withParts),
    setup: 'cloud/shared-emulators.ts',
  },
];

function tier(
  name: string,
  proves: string,
  needs: NeedName[],
  testSeconds: number,
  limitMinutes: number,
  workers: number,
): Tier {
  return { name, proves, needs, testSeconds, limitMinutes, workers };
}
