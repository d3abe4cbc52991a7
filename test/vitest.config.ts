import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { tiers } from './runner/tiers.ts';

/** One project for each tier. `npm test` runs them one after another; `npx vitest -c test/vitest.config.ts --project unit` watches one. */
export default defineConfig({
  root: join(import.meta.dirname, '..'),
  test: {
    projects: tiers.map((tier, index) => ({
      extends: true as const,
      test: {
        name: tier.name,
        include: [`test/${tier.name}/**/*.test.{ts,tsx}`],
        testTimeout: tier.testSeconds * 1000,
        hookTimeout: tier.testSeconds * 1000,
        teardownTimeout: 30_000,
        pool: 'forks' as const,
        ...(tier.setup === undefined ? {} : { globalSetup: [join(import.meta.dirname, tier.setup)] }),
        maxWorkers: tier.workers,
        // Tests of one file run beside each other only where it says so, and then all of them: they wait.
        maxConcurrency: 20,
        // Tiers never overlap, so that what one starts does not slow another.
        sequence: { groupOrder: index },
      },
    })),
  },
});
