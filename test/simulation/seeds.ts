import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SimulationResult } from './simulation.ts';

/** One seed's world gets so many faults: enough for long stories, few enough to be repeated fast. */
export const faultsPerSeed = 1_000;

export interface SeedsOptions {
  readonly firstSeed: number;
  /** in all: seed after seed, each with faultsPerSeed of them, the last one with what is left */
  readonly faults: number;
  /** of mutants.ts: is put into the source first */
  readonly mutant?: string;
  /** no seed is begun after so long, ms */
  readonly limitMs?: number;
  readonly onResult?: (result: SimulationResult) => void;
}

export interface SeedsResult {
  readonly results: readonly SimulationResult[];
  readonly seconds: number;
  /** the last events before the first promise that was broken */
  readonly trace: readonly string[];
}

/** Simulates one seed after the other, on every core, until one breaks a promise. */
export async function simulateSeeds(options: SeedsOptions): Promise<SeedsResult> {
  const { firstSeed, faults, mutant, limitMs = Number.POSITIVE_INFINITY, onResult } = options;
  const startedMs = performance.now();
  const results: SimulationResult[] = [];
  const seedsInAll = Math.ceil(faults / faultsPerSeed);
  const faultsOf = (index: number): number => Math.min(faultsPerSeed, faults - index * faultsPerSeed);
  let begun = 0;
  let broken: { readonly seed: number; readonly faults: number } | undefined;

  const serve = async (): Promise<void> => {
    await using thread = startThread(mutant);
    while (begun < seedsInAll && broken === undefined && performance.now() - startedMs < limitMs) {
      const index = begun++;
      const task = { seed: firstSeed + index, faults: faultsOf(index) };
      const { result } = await thread.simulate({ ...task, isTraced: false });
      results.push(result);
      onResult?.(result);
      if (result.broken !== undefined) broken ??= task;
    }
  };
  await Promise.all(Array.from({ length: Math.min(seedsInAll, availableParallelism()) }, serve));
  const seconds = (performance.now() - startedMs) / 1000;
  if (broken === undefined) return { results, seconds, trace: [] };
  await using thread = startThread(mutant);
  const { trace } = await thread.simulate({ ...broken, isTraced: true });
  return { results, seconds, trace };
}

interface Told {
  readonly result: SimulationResult;
  readonly trace: readonly string[];
}

function startThread(mutant: string | undefined) {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: { mutant },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  return {
    simulate: (task: { readonly seed: number; readonly faults: number; readonly isTraced: boolean }): Promise<Told> =>
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (told: Told) => {
          worker.off('error', reject);
          resolve(told);
        });
        worker.postMessage(task);
      }),
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}
