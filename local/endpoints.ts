import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { writeFileAtomically } from './files.ts';
import { pathsIn } from './settings.ts';

const processIds = z.object({ worker: z.array(z.number()), line: z.array(z.number()) });
const endpointsFile = z.object({
  api: z.string(),
  console: z.string(),
  temporal: z.string(),
  temporalUi: z.string().optional(),
  temporalNamespace: z.string(),
  aws: z.string(),
  insurer: z.string(),
  oidcIssuer: z.string(),
  processes: processIds,
});
/** Where the running stack can be reached (docs/explanation/architecture.md, "On a laptop"). */
export type Endpoints = z.infer<typeof endpointsFile>;

const stackFile = z.object({ pid: z.number(), environment: z.record(z.string(), z.string()) });
/** What a process needs to take part in the running stack; holds keys, so only its owner may read it. */
export type RunningStack = z.infer<typeof stackFile>;

/** Tells everyone that the stack is up. */
export function publishEndpoints(localDir: string, endpoints: Endpoints, stack: RunningStack): void {
  const paths = pathsIn(localDir);
  writeFileAtomically(paths.stack, JSON.stringify(stack), 0o600);
  const lines = Object.entries(stack.environment).map(([name, value]) => `${name}=${value}\n`);
  writeFileAtomically(paths.workerEnvironment, lines.join(''), 0o600);
  writeFileAtomically(paths.endpoints, `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** The stack is down, or is about to be. */
export function removeEndpoints(localDir: string): void {
  const paths = pathsIn(localDir);
  rmSync(paths.endpoints, { force: true });
  rmSync(paths.stack, { force: true });
  rmSync(paths.workerEnvironment, { force: true });
}

/** undefined when no stack runs on that folder. */
export function readEndpoints(localDir: string): Endpoints | undefined {
  if (findRunningStack(localDir) === undefined) return undefined;
  return endpointsFile.parse(JSON.parse(readFileSync(pathsIn(localDir).endpoints, 'utf8')));
}

/** undefined when none runs on that folder. */
export function findRunningStack(localDir: string): RunningStack | undefined {
  const { stack, lock } = pathsIn(localDir);
  if (!existsSync(stack) || lockHolder(lock) === undefined) return undefined;
  return stackFile.parse(JSON.parse(readFileSync(stack, 'utf8')));
}

/** Takes a folder for one stack. @returns the process ID of whoever has it already */
export function takeLock(localDir: string): number | undefined {
  const { lock } = pathsIn(localDir);
  const holder = lockHolder(lock);
  if (holder !== undefined && holder !== process.pid) return holder;
  mkdirSync(localDir, { recursive: true });
  writeFileAtomically(lock, String(process.pid));
  return undefined;
}

export const releaseLock = (localDir: string): void => rmSync(pathsIn(localDir).lock, { force: true });

/** The process that has the lock, if it still is what it was: after a restart of the machine its ID may be another's. */
function lockHolder(lock: string): number | undefined {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    process.kill(pid, 0);
    const commandLine = `/proc/${pid}/cmdline`;
    if (existsSync(commandLine) && !readFileSync(commandLine, 'utf8').includes('start.ts')) return undefined;
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? Number(readFileSync(lock, 'utf8')) : undefined;
  }
}

/** Changes the processes' IDs in endpoints.json; does nothing once the stack is down. */
export async function updateProcesses(
  localDir: string,
  change: (processes: Endpoints['processes']) => Endpoints['processes'],
): Promise<void> {
  const { endpoints: file } = pathsIn(localDir);
  const mutex = `${file}.lock`;
  for (;;) {
    try {
      mkdirSync(mutex); // fails while another process is at it
      break;
    } catch {
      if (!existsSync(localDir)) return;
      const age = Date.now() - (statSync(mutex, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 5_000) rmSync(mutex, { recursive: true, force: true }); // left by one that was killed
      await sleep(10);
    }
  }
  try {
    if (!existsSync(file)) return;
    const endpoints = endpointsFile.parse(JSON.parse(readFileSync(file, 'utf8')));
    writeFileAtomically(file, `${JSON.stringify({ ...endpoints, processes: change(endpoints.processes) }, null, 2)}\n`);
  } finally {
    rmSync(mutex, { recursive: true, force: true });
  }
}
