import { afterAll, describe, expect, test } from 'vitest';
import { startTestStack } from '../stack.ts';
import { checkHistories } from './check.ts';
import { storeMutants } from './mutants.ts';

// The model compares whole tables, and its lists remove everybody else: it needs a stack of its own.
const stack = await startTestStack();
afterAll(stack.stop);
Object.assign(process.env, stack.environment);

/** Number of histories on the emulator. Each takes about half a second of a core. */
const emulatedHistories = Number(process.env['MODEL_RUNS'] ?? 200);

describe('each fault in activities and stores is found by one history on the emulator', () => {
  for (const [mutant, { path }] of Object.entries(storeMutants))
    test(mutant, { timeout: 120_000 }, async ({ annotate }) => {
      const { failure } = await checkHistories({ world: 'emulator', seed: 1, paths: [path], runs: 1, mutant });
      expect(failure?.what).toBeDefined();
      await annotate(`seed 1, path ${path}: ${failure?.what}`);
    });

  test('the same histories pass without a fault', { timeout: 120_000 }, async () => {
    const paths = Object.values(storeMutants).map(({ path }) => path); // in one thread, which loads the sources once
    const { failure, histories } = await checkHistories({ world: 'emulator', seed: 1, paths, runs: 1 });
    expect(failure?.what, failure?.report).toBeUndefined();
    expect(histories).toBe(paths.length);
  });
});

test(`${emulatedHistories} random histories with the real activities and stores: attempts die, or stand still and go on later`, {
  timeout: Math.max(600_000, emulatedHistories * 3_000),
}, async ({ annotate }) => {
  const { failure, ...sums } = await checkHistories({ world: 'emulator', seed: 1, runs: emulatedHistories });
  expect(failure?.what, failure?.report).toBeUndefined();
  expect(sums.lateAttempts).toBeGreaterThan(0); // otherwise the test proves nothing
  await annotate(JSON.stringify(sums));
});
