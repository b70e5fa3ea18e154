import { describe, expect, test } from 'vitest';
import { checkHistories } from './check.ts';
import { memoryMutants } from './mutants.ts';

const histories = 10_000;

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

// two at a time (vitest.config.ts), because each has one thread
describe.concurrent('each fault in a rule or in the condition of a write is found by a random history in memory', () => {
  for (const [mutant, { seed = 1, size = 'large' }] of Object.entries(memoryMutants))
    test(mutant, { timeout: 120_000 }, async ({ annotate, expect: expectHere }) => {
      const { failure } = await checkHistories({ world: 'memory', seed, size, runs: histories, mutant });
      expectHere(failure?.what).toBeDefined();
      await annotate(`seed ${seed}, ${failure?.histories} histories: ${failure?.what}`);
    });
});
