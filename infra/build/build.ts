import { join } from 'node:path';
import { bundleAgent } from './bundle-agent.ts';
import { buildDashboard } from './build-dashboard.ts';

/** `npm run build [-- agent|dashboard]`: builds what ships into `dist/`. */
const dist = join(import.meta.dirname, '..', '..', 'dist');
const wanted = process.argv.slice(2);
const builds: Record<string, () => Promise<void>> = {
  agent: () => bundleAgent(join(dist, 'agent', 'agent.mjs')),
  dashboard: () => buildDashboard(join(dist, 'dashboard')),
};

for (const part of wanted.length === 0 ? Object.keys(builds) : wanted) {
  const build = builds[part];
  if (build === undefined) {
    console.error(`error: there is no part ${part}; parts: ${Object.keys(builds).join(', ')}`);
    process.exit(2);
  }
  await build();
  console.log(`built dist/${part}`);
}
