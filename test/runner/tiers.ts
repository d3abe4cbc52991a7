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
  /** Files beside each other; where a test starts clusters or browsers, one after another. */
  parallel: boolean;
}

/** In the order they run: what is quick to fail comes first. */
export const tiers: readonly Tier[] = [
  tier('architecture', 'the tree keeps its own rules', [], 30, 3, true),
  tier('unit', 'one part, its dependencies given, no network but loopback', ['git'], 20, 8, true),
  tier('contract', 'every adapter of a port behaves alike', ['git'], 30, 6, true),
  tier('cluster', 'the agent and the sandbox against a real API server', ['git', 'sandbox'], 120, 12, false),
  tier('pipeline', 'the whole product in one process, from push to applied', ['git', 'sandbox'], 180, 15, false),
  tier('browser', 'the dashboard in Chromium on the whole product', ['git', 'sandbox', 'chromium'], 120, 10, false),
  tier('cloud', 'the adapters and entries of a cloud on its emulators', ['emulators'], 120, 10, false),
];

function tier(
  name: string,
  proves: string,
  needs: NeedName[],
  testSeconds: number,
  limitMinutes: number,
  parallel: boolean,
): Tier {
  return { name, proves, needs, testSeconds, limitMinutes, parallel };
}
