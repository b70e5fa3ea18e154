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

describe('each fault in activities and stores is found by one history on the emulator, which passes without the fault', () => {
  for (const [mutant, { path }] of Object.entries(storeMutants))
    test(mutant, { timeout: 120_000 }, async ({ annotate }) => {
      const history = { world: 'emulator', seed: 1, path, runs: 1 } as const;
      const { failure } = await checkHistories({ ...history, mutant });
      expect(failure?.what).toBeDefined();
      const without = await checkHistories(history);
      expect(without.failure?.what, without.failure?.report).toBeUndefined();
      await annotate(`seed 1, path ${path}: ${failure?.what}`);
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
