import { startSandbox } from './sandbox.ts';

// A sandbox on its own, for looking around: npx node localstack/cluster/run.ts DIR [NODES]. Ctrl-C ends it.
const [dataDir = '.hawser/cluster', nodes = '3'] = process.argv.slice(2);
const started = performance.now();
const abort = new AbortController();
process.once('SIGINT', () => abort.abort(new Error('Stopped')));
process.once('SIGTERM', () => abort.abort(new Error('Stopped')));

const cluster = await startSandbox({
  name: 'sandbox',
  dataDir,
  nodes: Number(nodes),
  auditLog: true,
  signal: abort.signal,
  progress: ({ step, detail = '', fraction = 0 }) =>
    console.error(`${String(Math.round(fraction * 100)).padStart(3)} %  ${step}  ${detail}`),
});
console.error(`Ready after ${((performance.now() - started) / 1000).toFixed(1)} s`, cluster.pids);
console.log(`export KUBECONFIG=${cluster.kubeconfig}`);
abort.signal.addEventListener('abort', () => void cluster.stop());
