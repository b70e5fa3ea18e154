import { join } from 'node:path';
import { z } from 'zod';
import { type Leashed, startProcess, untilReady } from './processes.ts';

export interface WorkerIds {
  readonly worker: number;
  /** the process that holds the sockets; a new one takes its place when it dies */
  readonly line: number | undefined;
}

export interface WorkerSpec {
  /** its log is `{name}.log` */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logDir: string;
  readonly onIds: (ids: WorkerIds) => void;
  readonly onLine?: (line: string) => void;
}

const event = z.object({
  event: z.enum(['worker-ready', 'line-process']),
  pid: z.number(),
  linePid: z.number().optional(),
});

/** Starts a worker and waits until it takes work. @throws StartFailure */
export async function startWorker({ name, env, logDir, onIds, onLine }: WorkerSpec): Promise<Leashed> {
  let isReady = false;
  const worker = startProcess({
    name,
    command: process.execPath,
    args: ['--max-old-space-size=1024', join(import.meta.dirname, '..', 'worker', 'main.ts')],
    env,
    logDir,
    graceMs: 25_000, // its own order of ending: requests, lease, activities
    onLine: (line) => {
      onLine?.(line);
      const told = eventIn(line);
      if (told === undefined) return;
      isReady ||= told.event === 'worker-ready';
      onIds({ worker: told.pid, line: told.linePid });
    },
  });
  await untilReady(worker, async () => isReady, { timeoutMs: 60_000, pollMs: 25 }).catch(async (error: unknown) => {
    await worker.stop();
    throw error;
  });
  return worker;
}

function eventIn(line: string): z.infer<typeof event> | undefined {
  if (!line.includes('"worker-ready"') && !line.includes('"line-process"')) return undefined;
  try {
    return event.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
