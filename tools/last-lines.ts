import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

const listed = 20;

/** Vitest reporter that prints the slowest tests and the failed ones at the end of a run. Times exclude the set-up that a file shares. */
export default class LastLines implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const durationMs = (test: TestCase): number => test.diagnostic()?.duration ?? 0;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const slowest = tests.toSorted((one, other) => durationMs(other) - durationMs(one)).slice(0, listed);
    process.stdout.write(`\nThe ${slowest.length} slowest tests:\n`);
    for (const test of slowest) {
      const seconds = (durationMs(test) / 1000).toFixed(1);
      process.stdout.write(`${seconds.padStart(7)} s  ${relative('.', test.module.moduleId)}  ${test.fullName}\n`);
    }
    const failed = tests.filter((test) => test.result().state === 'failed');
    if (failed.length > 0) process.stdout.write('\nFailed:\n');
    for (const test of failed) {
      const [message] = (test.result().errors?.[0]?.message ?? '').split('\n');
      process.stdout.write(`  ${relative('.', test.module.moduleId)}  ${test.fullName}: ${message}\n`);
    }
  }
}
