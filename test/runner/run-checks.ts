import { runTool } from './run-vitest.ts';
import type { TierLine } from './summary.ts';

/** What reads the code instead of running it. */
const checks = [
  { name: 'type check', tool: 'tsc', args: ['--noEmit'], cure: 'npm run typecheck' },
  { name: 'lint', tool: 'oxlint', args: ['--type-aware'], cure: 'npm run lint' },
  { name: 'format', tool: 'oxfmt', args: ['--check'], cure: 'npm run format' },
];

/** The first tier: type check, lint, format. What a check says is shown only when it fails. */
export async function runChecks(signal: AbortSignal): Promise<TierLine> {
  const started = performance.now();
  const line: TierLine = {
    name: 'check',
    passed: 0,
    failed: 0,
    skipped: 0,
    seconds: 0,
    note: '',
    failures: [],
    skips: [],
  };
  for (const check of checks) {
    let output = '';
    const onOutput = (text: string) => void (output += text);
    const code = await runTool(check.tool, check.args, { env: process.env, signal, stdio: 'pipe', onOutput });
    if (code === 0) line.passed += 1;
    else {
      line.failed += 1;
      line.failures.push(`${check.name} (see above; ${check.cure})`);
      console.log(output.trimEnd());
    }
    console.log(` ${code === 0 ? '✓' : '✗'} ${check.name}`);
  }
  line.seconds = (performance.now() - started) / 1000;
  return line;
}
