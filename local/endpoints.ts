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
/** Addresses of the running stack (docs/explanation/architecture.md, "On a laptop"). */
export type Endpoints = z.infer<typeof endpointsFile>;

const stackFile = z.object({ pid: z.number(), environment: z.record(z.string(), z.string()) });
/** What another process needs to join the running stack. Contains keys, so only the owner may read the file. */
export type RunningStack = z.infer<typeof stackFile>;

/** Writes the files by which other processes find the running stack. */
export function publishEndpoints(localDir: string, endpoints: Endpoints, stack: RunningStack): void {
  const paths = pathsIn(localDir);
  writeFileAtomically(paths.stack, JSON.stringify(stack), 0o600);
  const lines = Object.entries(stack.environment).map(
    ([name, value]) => `${name}=${value.includes('\n') ? JSON.stringify(value) : value}\n`, // a certificate has several lines
  );
  writeFileAtomically(paths.workerEnvironment, lines.join(''), 0o600);
  writeFileAtomically(paths.endpoints, `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** Removes the files of `publishEndpoints`. */
export function removeEndpoints(localDir: string): void {
  const paths = pathsIn(localDir);
  rmSync(paths.endpoints, { force: true });
  rmSync(paths.stack, { force: true });
  rmSync(paths.workerEnvironment, { force: true });
}

/** Returns undefined if no stack runs in that folder. */
export function readEndpoints(localDir: string): Endpoints | undefined {
  if (findRunningStack(localDir) === undefined) return undefined;
  return endpointsFile.parse(JSON.parse(readFileSync(pathsIn(localDir).endpoints, 'utf8')));
}

/** Returns undefined if no stack runs in that folder. */
export function findRunningStack(localDir: string): RunningStack | undefined {
  const { stack, lock } = pathsIn(localDir);
  if (!existsSync(stack) || lockHolder(lock) === undefined) return undefined;
  return stackFile.parse(JSON.parse(readFileSync(stack, 'utf8')));
}

/** Locks a folder for one stack. @returns the process ID of the holder, if another process has the lock */
export function takeLock(localDir: string): number | undefined {
  const { lock } = pathsIn(localDir);
  const holder = lockHolder(lock);
  if (holder !== undefined && holder !== process.pid) return holder;
  mkdirSync(localDir, { recursive: true });
  writeFileAtomically(lock, String(process.pid));
  return undefined;
}

export const releaseLock = (localDir: string): void => rmSync(pathsIn(localDir).lock, { force: true });

/** Returns the process that holds the lock. After a restart of the machine, its ID may belong to another program. */
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

/** Changes the process IDs in endpoints.json. Does nothing if the stack has ended. */
export async function updateProcesses(
  localDir: string,
  change: (processes: Endpoints['processes']) => Endpoints['processes'],
): Promise<void> {
  const { endpoints: file } = pathsIn(localDir);
  const mutex = `${file}.lock`;
  for (;;) {
    try {
      mkdirSync(mutex); // fails while another process holds it
      break;
    } catch {
      if (!existsSync(localDir)) return;
      const age = Date.now() - (statSync(mutex, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 5_000) rmSync(mutex, { recursive: true, force: true }); // left by a killed process
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
