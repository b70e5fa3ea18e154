import { describe, expect, test } from 'vitest';
import { checkHistories } from './check.ts';
import { memoryMutants, storeMutants } from './mutants.ts';

const histories = 10_000;
/** Number of histories on the emulator. Each takes about half a second of a core. */
const emulatedHistories = Number(process.env['MODEL_RUNS'] ?? 200);

test(`${histories} random histories in memory: the tables are what the last accepted list says, less whom a 410 removed`, {
  timeout: 60_000,
}, async ({ annotate }) => {
  const { failure, ...sums } = await checkHistories({ world: 'memory', seed: 1, runs: histories, shrinks: true });
  expect(failure?.what, failure?.report).toBeUndefined();
  expect(sums.histories).toBe(histories);
  expect(sums.quietPoints).toBeGreaterThan(histories); // otherwise the test proves nothing
  expect(sums.lateAttempts).toBeGreaterThan(histories / 5);
  await annotate(JSON.stringify(sums));
});

// two at a time, because each has one thread
describe.concurrent('each fault in a rule or in the condition of a write is found by a random history in memory', () => {
  for (const [mutant, { seed = 1, size = 'large' }] of Object.entries(memoryMutants))
    test(mutant, { timeout: 120_000 }, async ({ annotate, expect: expectHere }) => {
      const { failure } = await checkHistories({ world: 'memory', seed, size, runs: histories, mutant });
      expectHere(failure?.what).toBeDefined();
      await annotate(`seed ${seed}, ${failure?.histories} histories: ${failure?.what}`);
    });
});

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
