import { parentPort, workerData } from 'node:worker_threads';
import { applyMutant } from './mutants.ts';
import type { SimulationOptions } from './simulation.ts';

/** A thread of main.ts. It simulates each seed that it receives, with a mutant of the source if one is named. */
const { mutant } = workerData as { readonly mutant?: string };
if (mutant !== undefined) applyMutant(mutant);
const { simulate } = await import('./simulation.ts');

parentPort?.on('message', ({ seed, faults, isTraced }: Omit<SimulationOptions, 'trace'> & { isTraced: boolean }) => {
  const trace: string[] = [];
  const keep = (line: string): void => {
    trace.push(line);
    if (trace.length > traceMax * 2) trace.splice(0, traceMax);
  };
  void simulate({ seed, faults, ...(isTraced && { trace: keep }) }).then((result) =>
    parentPort?.postMessage({ result, trace: trace.slice(-traceMax) }),
  );
});

/** Number of lines that are reported before a broken guarantee. */
const traceMax = 250;
