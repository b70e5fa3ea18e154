import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

export interface CheckOptions {
  /** where the histories happen: in memory, or with the real activities and stores on the emulator */
  readonly world: 'memory' | 'emulator';
  /** of the histories: by default large in memory, and small on the emulator, where each store call costs a millisecond */
  readonly size?: 'small' | 'large';
  readonly seed: number;
  /** number of histories */
  readonly runs: number;
  /** fast-check's paths to histories, to replay them one after the other; `runs` counts for each */
  readonly paths?: readonly string[];
  /** name of the mutant to apply (mutants.ts) */
  readonly mutant?: string;
  /** looks for a shorter history that fails, too */
  readonly shrinks?: boolean;
}

export interface CheckResult {
  readonly histories: number;
  readonly quietPoints: number;
  readonly events: number;
  readonly lateAttempts: number;
  /** the seed of the thread that has found it, and the report of fast-check with steps and events */
  readonly failure?: {
    readonly seed: number;
    readonly histories: number;
    readonly what: string;
    readonly report: string;
  };
}

/** Checks histories on all cores. Each thread has a seed of its own, counted up from the given one. */
export async function checkHistories(options: CheckOptions): Promise<CheckResult> {
  const threads = options.paths === undefined && options.mutant === undefined ? availableParallelism() : 1;
  const runs = Math.ceil(options.runs / threads);
  const results = await Promise.all(
    Array.from({ length: threads }, (_, index) => checkInThread({ ...options, seed: options.seed + index, runs })),
  );
  const sum = (of: (result: CheckResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const failure = results.find((result) => result.failure !== undefined)?.failure;
  return {
    histories: sum(({ histories }) => histories),
    quietPoints: sum(({ quietPoints }) => quietPoints),
    events: sum(({ events }) => events),
    lateAttempts: sum(({ lateAttempts }) => lateAttempts),
    ...(failure && { failure }),
  };
}

async function checkInThread(workerData: CheckOptions): Promise<CheckResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CheckResult>();
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  worker.once('message', resolve);
  worker.once('error', reject);
  try {
    return await promise;
  } finally {
    await worker.terminate();
  }
}
