import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import type { CheckOptions, CheckResult } from './check.ts';
import { histories, peopleMax } from './history.ts';
import { Insurer } from './insurer.ts';
import { applyMutant } from './mutants.ts';

/** A thread of check.ts. It checks histories, with a mutant of the source if one is named. */
const { seed, runs, path, mutant, shrinks } = workerData as CheckOptions;
if (mutant !== undefined) applyMutant(mutant);
const { runHistory } = await import('./driver.ts');
const { MemoryWorld } = await import('./memory-world.ts');

const listedMax = 44;
const stepsMax = 40;
const sums = { quietPoints: 0, events: 0, lateAttempts: 0 };
const property = fc.asyncProperty(histories(listedMax, stepsMax), async (history) => {
  const insurer = new Insurer(peopleMax, history.listed);
  const result = await runHistory(history, insurer, new MemoryWorld(insurer));
  sums.quietPoints += result.quietPoints;
  sums.events += result.events;
  sums.lateAttempts += result.lateAttempts;
});
const details = await fc.check(property, {
  seed,
  numRuns: runs,
  endOnFailure: shrinks !== true,
  ...(path !== undefined && { path }),
});
const error = details.errorInstance;
const result: CheckResult = {
  histories: details.numRuns,
  ...sums,
  ...(details.failed && {
    failure: {
      seed,
      histories: details.numRuns,
      what: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
      report: `${fc.defaultReportMessage(details)}\n${error instanceof Error ? error.stack : String(error)}`,
    },
  }),
};
parentPort?.postMessage(result);
