import { availableParallelism, arch, platform, totalmem } from 'node:os';
import type { Progress } from '#localstack/cluster/sandbox.ts';
import { messageOf } from '#shared/errors.ts';
import { runChecks } from './runner/run-checks.ts';
import { lookForNeeds, type Need } from './runner/needs.ts';
import { countTests, runVitest } from './runner/run-vitest.ts';
import { noCounts, renderSummary, total, type TierLine } from './runner/summary.ts';
import { tiers, type NeedName, type Tier } from './runner/tiers.ts';

/**
 * `npm test` [-- TIER… [-- vitest arguments]]: runs the tiers one after another and sums up.
 * Ends with 1 if anything failed; what a machine lacks is said at the top, and its tiers are counted as skipped.
 */
async function main(): Promise<number> {
  const { names, extra } = readArguments(process.argv.slice(2));
  const wanted = tiers.filter((tier) => names.includes(tier.name));
  const needs = await lookForNeeds(wanted.flatMap((tier) => tier.needs));
  sayMachine(needs);

  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const lines: TierLine[] = [];
  if (names.includes('check')) {
    title('check', 'types, lint, format');
    lines.push(await runChecks(stop.signal));
  }
  const prepared = new Map<NeedName, string | undefined>();
  for (const tier of wanted) {
    if (stop.signal.aborted) break;
    title(tier.name, tier.proves);
    lines.push(await runTier(tier, needs, prepared, extra, stop.signal));
  }
  if (stop.signal.aborted) console.log('\nBroken off.');
  console.log(`\n${renderSummary(lines)}`);
  return total(lines).failed > 0 || stop.signal.aborted ? 1 : 0;
}

async function runTier(
  tier: Tier,
  needs: Map<NeedName, Need>,
  prepared: Map<NeedName, string | undefined>,
  extra: readonly string[],
  signal: AbortSignal,
): Promise<TierLine> {
  const started = performance.now();
  const line = (rest: Partial<TierLine>): TierLine => {
    const seconds = (performance.now() - started) / 1000;
    return { name: tier.name, ...noCounts, seconds, note: '', failures: [], skips: [], ...rest };
  };
  for (const name of tier.needs) {
    const need = needs.get(name);
    if (need?.ok === false) {
      console.log(`Skipped: ${need.missing}`);
      const skipped = await countTests(tier);
      return line({ skipped, note: `not run: ${firstLine(need.missing)}` });
    }
    if (!prepared.has(name)) prepared.set(name, await prepare(need));
    const problem = prepared.get(name);
    if (problem !== undefined) return line({ failed: 1, failures: [problem], note: firstLine(problem) });
  }
  const result = await runVitest(tier, [...extra, '--passWithNoTests'], signal);
  const note = result.files === 0 && result.failed === 0 ? 'no tests in it' : '';
  return line({ ...result, note });
}

/** Builds what a need says can be built; gives the reason where that fails. */
async function prepare(need: Need | undefined): Promise<string | undefined> {
  if (need?.ok !== true || need.prepare === undefined) return undefined;
  try {
    await need.prepare(progressPrinter());
    return undefined;
  } catch (error) {
    console.log(messageOf(error));
    return messageOf(error);
  }
}

/** On a terminal one line that changes; elsewhere a line for each step and for each tenth. */
function progressPrinter(): (progress: Progress) => void {
  let last = '';
  return ({ step, detail, fraction }) => {
    const percent = fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`;
    if (process.stdout.isTTY) {
      process.stdout.write(
        `\r\x1b[2K${`${step}${percent} ${detail ?? ''}`.slice(0, (process.stdout.columns || 80) - 1)}`,
      );
      if (fraction === 1) process.stdout.write('\n');
      return;
    }
    const key = `${step} ${fraction === undefined ? '' : Math.floor(fraction * 10)}`;
    if (key !== last) console.log(`${step}${percent}`);
    last = key;
  };
}

function sayMachine(needs: Map<NeedName, Need>): void {
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  console.log(`Node ${process.version}, ${platform()} ${arch()}, ${availableParallelism()} cores, ${memory} GiB`);
  for (const [name, need] of needs) {
    if (need.ok) console.log(need.found);
    else {
      const without = tiers.filter((tier) => tier.needs.includes(name)).map((tier) => tier.name);
      console.log(`Missing: ${need.missing}\n  Without it these tiers are skipped: ${without.join(', ')}`);
    }
  }
}

function readArguments(args: readonly string[]): { names: string[]; extra: string[] } {
  const split = args.indexOf('--');
  const names = split === -1 ? [...args] : args.slice(0, split);
  const extra = split === -1 ? [] : args.slice(split + 1);
  const known = ['check', ...tiers.map((tier) => tier.name)];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(
      `There is no tier ${unknown.join(', ')}.\nUsage: npm test [-- TIER… [-- VITEST ARGUMENTS]]\nTiers: ${known.join(', ')}`,
    );
    process.exit(2);
  }
  return { names: names.length === 0 ? known : names, extra };
}

function title(name: string, proves: string): void {
  console.log(`\n── ${name}: ${proves}`);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

process.exitCode = await main();
