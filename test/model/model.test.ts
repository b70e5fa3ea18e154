import { describe, expect, test } from 'vitest';
import { checkHistories } from './check.ts';
import { ruleMutants } from './mutants.ts';

const histories = 10_000;
/** Number of histories on the emulator. Each takes about half a second of a core. */
const emulatedHistories = Number(process.env['MODEL_RUNS'] ?? 200);

test(`${histories} random histories in memory: the tables are what the last accepted list says, less whom a 410 removed`, {
  timeout: 300_000,
}, async ({ annotate }) => {
  const { failure, ...sums } = await checkHistories({ world: 'memory', seed: 1, runs: histories, shrinks: true });
  expect(failure?.what, failure?.report).toBeUndefined();
  expect(sums.histories).toBe(histories);
  expect(sums.quietPoints).toBeGreaterThan(histories); // otherwise the test proves nothing
  expect(sums.lateAttempts).toBeGreaterThan(histories / 5);
  await annotate(JSON.stringify(sums));
});

describe('each fault in the rules of a run is found by a random history in memory', () => {
  for (const mutant of Object.keys(ruleMutants))
    test(mutant, { timeout: 120_000 }, async ({ annotate }) => {
      const { failure } = await checkHistories({ world: 'memory', seed: 1, runs: histories, mutant });
      expect(failure?.what).toBeDefined();
      await annotate(`seed 1, ${failure?.histories} histories: ${failure?.what}`);
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
