import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import type { CheckOptions, CheckResult } from './check.ts';
import { histories, peopleMax } from './history.ts';
import { Insurer } from './insurer.ts';
import { applyMutant } from './mutants.ts';
import type { World } from './world.ts';

/** A thread of check.ts. It checks histories, with a mutant of the source if one is named. */
const { world, size, seed, runs, paths = [undefined], mutant, shrinks } = workerData as CheckOptions;
const isSmall = (size ?? (world === 'memory' ? 'large' : 'small')) === 'small';
const people = isSmall ? 8 : peopleMax;
if (mutant !== undefined) applyMutant(mutant);
const { runHistory } = await import('./driver.ts');
const worlds = world === 'memory' ? await memoryWorlds() : await emulatedWorlds();

async function memoryWorlds() {
  const { MemoryWorld } = await import('./memory-world.ts');
  return { open: (insurer: Insurer): World => new MemoryWorld(insurer) };
}

async function emulatedWorlds() {
  const { EmulatedWorld, openModelClients } = await import('./emulated-world.ts');
  const clients = openModelClients();
  let number = seed * 100;
  return {
    async open(insurer: Insurer): Promise<World> {
      const emulated = new EmulatedWorld(clients, insurer, number++);
      await emulated.clear();
      return emulated;
    },
  };
}

const sums = { quietPoints: 0, events: 0, lateAttempts: 0 };
const property = fc.asyncProperty(isSmall ? histories(6, 16) : histories(44, 40), async (history) => {
  const insurer = new Insurer(people, history.listed);
  const result = await runHistory(history, insurer, await worlds.open(insurer));
  sums.quietPoints += result.quietPoints;
  sums.events += result.events;
  sums.lateAttempts += result.lateAttempts;
});
const replay = async (path: string | undefined) =>
  await fc.check(property, {
    seed,
    numRuns: runs,
    endOnFailure: shrinks !== true,
    ...(path !== undefined && { path }),
  });
let checked = 0;
let details: Awaited<ReturnType<typeof replay>> | undefined;
for (const path of paths) {
  details = await replay(path);
  checked += details.numRuns;
  if (details.failed) break;
}
const error = details?.errorInstance;
const result: CheckResult = {
  histories: checked,
  ...sums,
  ...(details?.failed && {
    failure: {
      seed,
      histories: checked,
      what: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
      report: `${fc.defaultReportMessage(details)}\n${error instanceof Error ? error.stack : String(error)}`,
    },
  }),
};
parentPort?.postMessage(result);
