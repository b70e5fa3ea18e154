import { join } from 'node:path';
import { z } from 'zod';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

export interface WorkerIds {
  readonly worker: number;
  /** the line process; the worker replaces it if it dies */
  readonly line: number | undefined;
}

export interface WorkerSpec {
  /** the log is `{name}.log` */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logDir: string;
  readonly onIds: (ids: WorkerIds) => void;
  readonly onLine?: (line: string) => void;
}

/** Events that a worker logs on stdout (worker/main.ts, worker/line/keeper.ts). */
const workerReady = z.object({ event: z.literal('worker-ready'), pid: z.number(), linePid: z.number().optional() });
const lineStarted = z.object({ event: z.literal('line process started'), pid: z.number(), linePid: z.number() });
const lineEnded = z.object({ event: z.literal('line process ended'), pid: z.number() });
const workerEvent = z.discriminatedUnion('event', [workerReady, lineStarted, lineEnded]);

/** Starts a worker, and waits until it takes tasks. @throws StartFailure */
export async function startWorker({ name, env, logDir, onIds, onLine }: WorkerSpec): Promise<ManagedProcess> {
  let isReady = false;
  const worker = startProcess({
    name,
    command: process.execPath,
    args: ['--max-old-space-size=1024', join(import.meta.dirname, '..', 'worker', 'main.ts')],
    env,
    logDir,
    graceMs: 25_000, // it ends requests, then the lease, then activities
    onLine: (line) => {
      onLine?.(line);
      const event = parseEvent(line);
      if (event === undefined) return;
      isReady ||= event.event === 'worker-ready';
      onIds({ worker: event.pid, line: linePidOf(event) });
    },
  });
  await untilReady(worker, async () => isReady, { timeoutMs: 60_000, pollMs: 25 }).catch(async (error: unknown) => {
    await worker.stop();
    throw error;
  });
  return worker;
}

type WorkerEvent = z.infer<typeof workerEvent>;

function linePidOf(event: WorkerEvent): number | undefined {
  switch (event.event) {
    case 'worker-ready':
      return event.linePid;
    case 'line process started':
      return event.linePid;
    case 'line process ended':
      return undefined;
  }
}

function parseEvent(line: string): WorkerEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return workerEvent.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
