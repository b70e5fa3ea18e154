import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SimulationResult } from './simulation.ts';

/** Number of faults for one seed: enough for long sequences, few enough to repeat quickly. */
export const faultsPerSeed = 1_000;

export interface SeedsOptions {
  readonly firstSeed: number;
  /** total number; each seed gets faultsPerSeed of them, and the last seed the rest */
  readonly faults: number;
  /** name of the mutant to apply (mutants.ts) */
  readonly mutant?: string;
}

export interface SeedsResult {
  /** in the order of the seeds, up to the first one that broke a guarantee */
  readonly results: readonly SimulationResult[];
  readonly broken?: BrokenSeed;
  readonly seconds: number;
}

export interface BrokenSeed {
  readonly seed: number;
  /** number of faults of the seed, needed to repeat it */
  readonly faults: number;
  readonly guarantee: string;
  /** the last events before; the broken guarantee is the last one */
  readonly trace: readonly string[];
}

/**
 * Simulates one seed after the other until one breaks a guarantee: on all cores, or on one with a mutant, because most are
 * found sooner than a second thread starts. Seeds start in order, and each runs to its end, so the result does not depend
 * on the number of cores.
 */
export async function simulateSeeds(options: SeedsOptions): Promise<SeedsResult> {
  const { firstSeed, faults, mutant } = options;
  const startedMs = performance.now();
  const done: SimulationResult[] = [];
  const seedsInAll = Math.ceil(faults / faultsPerSeed);
  const faultsOf = (index: number): number => Math.min(faultsPerSeed, faults - index * faultsPerSeed);
  let begun = 0;
  let isBroken = false;

  const serve = async (thread: Thread): Promise<void> => {
    while (begun < seedsInAll && !isBroken) {
      const index = begun++;
      const task = { seed: firstSeed + index, faults: faultsOf(index) };
      const { result } = await thread.simulate({ ...task, isTraced: false });
      done.push(result);
      isBroken ||= result.broken !== undefined;
    }
  };
  const cores = mutant === undefined ? availableParallelism() : 1;
  await using started = new AsyncDisposableStack();
  const threads = Array.from({ length: Math.min(seedsInAll, cores) }, () => started.use(startThread(mutant)));
  await Promise.all(threads.map(serve));
  const seconds = (performance.now() - startedMs) / 1000;
  done.sort((one, other) => one.seed - other.seed);
  const last = done.findIndex(({ broken }) => broken !== undefined);
  const { seed, broken: guarantee } = done[last] ?? {};
  const [thread] = threads;
  if (thread === undefined || seed === undefined || guarantee === undefined) return { results: done, seconds };
  const again = { seed, faults: faultsOf(seed - firstSeed) };
  const { trace } = await thread.simulate({ ...again, isTraced: true });
  return { results: done.slice(0, last + 1), broken: { ...again, guarantee, trace }, seconds };
}

interface ThreadAnswer {
  readonly result: SimulationResult;
  readonly trace: readonly string[];
}

interface Thread extends AsyncDisposable {
  /** Simulates a seed. It must have ended before the next one begins. */
  simulate(task: { readonly seed: number; readonly faults: number; readonly isTraced: boolean }): Promise<ThreadAnswer>;
}

function startThread(mutant: string | undefined): Thread {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: { mutant },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  return {
    simulate: (task) =>
      new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', (answer: ThreadAnswer) => {
          worker.off('error', reject);
          resolve(answer);
        });
        worker.postMessage(task);
      }),
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}
