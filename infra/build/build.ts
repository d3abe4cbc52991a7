import { join } from 'node:path';
import { bundleAgent } from './bundle-agent.ts';
import { buildDashboard } from './build-dashboard.ts';
import { bundleFunctions } from './bundle-functions.ts';
import { layOutKustomizeLayer } from './bundle-render.ts';

/** `npm run build [-- agent|dashboard|functions]`: builds what ships into `dist/`. */
const dist = join(import.meta.dirname, '..', '..', 'dist');
const wanted = process.argv.slice(2);
const builds: Record<string, () => Promise<void>> = {
  agent: () => bundleAgent(join(dist, 'agent', 'agent.mjs')),
  dashboard: () => buildDashboard(join(dist, 'dashboard')),
  async functions() {
    for (const { name, bytes } of await bundleFunctions(undefined, join(dist, 'functions')))
      console.log(`  ${name.padEnd(16)}${(bytes / 1000).toFixed(0).padStart(6)} kB`);
    const hasLayer = await layOutKustomizeLayer(join(dist, 'layers', 'kustomize'));
    if (!hasLayer)
      console.log('  no kustomize for a layer: kubectl’s serves (npm start builds it, HAWSER_KUSTOMIZE names one)');
  },
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
