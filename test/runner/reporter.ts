import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { TierResult } from './summary.ts';

/** The file that a run's result is written to; the runner names it. */
export const summaryFileVariable = 'HAWSER_TEST_SUMMARY';

/** Beside vitest's own reporter, which shows the failures: hands the counts to the runner. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly { message: string }[]): void {
    const file = process.env[summaryFileVariable];
    if (file !== undefined) writeFileSync(file, JSON.stringify(resultOf(modules, errors)));
  }
}

function resultOf(modules: readonly TestModule[], errors: readonly { message: string }[]): TierResult {
  const result: TierResult = { passed: 0, failed: 0, skipped: 0, files: modules.length, failures: [], skips: [] };
  for (const module of modules) {
    for (const test of module.children.allTests()) countTest(result, module, test);
    for (const suite of module.children.allSuites()) countErrors(result, suite.fullName, suite.errors());
    countErrors(result, module.relativeModuleId, module.errors());
  }
  countErrors(result, 'outside any test', errors);
  return result;
}

function countTest(result: TierResult, module: TestModule, test: TestCase): void {
  const { state } = test.result();
  const name = `${module.relativeModuleId} > ${test.fullName}`;
  if (state === 'passed') result.passed += 1;
  else if (state === 'skipped') {
    result.skipped += 1;
    result.skips.push({ name, reason: skipReason(test) });
  } else {
    result.failed += 1;
    result.failures.push(state === 'pending' ? `${name} (did not end)` : name);
  }
}

/** A file that does not load has errors and no tests; a hook that fails leaves its suite's tests skipped. */
function countErrors(result: TierResult, name: string, errors: readonly { message: string }[]): void {
  for (const error of errors) {
    result.failed += 1;
    result.failures.push(`${name}: ${error.message.split('\n')[0]}`);
  }
}

function skipReason(test: TestCase): string {
  const result = test.result();
  return result.state === 'skipped' ? (result.note ?? '') : '';
}
