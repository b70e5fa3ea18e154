import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';

export interface ProcessSpec {
  /** used in messages and as the name of its log */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** folder of its log `{name}.log`, which has everything that the process prints */
  readonly logDir: string;
  /** time between SIGTERM and SIGKILL */
  readonly graceMs: number;
  readonly onLine?: (line: string) => void;
}

/** A process that ends when this process ends, even if this one is killed (local/orphan-guard.ts). */
export interface ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  /** resolves once the process has ended for any reason, and its log is written */
  readonly ended: Promise<void>;
  readonly isRunning: () => boolean;
  /** Sends SIGTERM, and SIGKILL after the grace period. Resolves when the process has ended. */
  stop(): Promise<void>;
  /** Sends SIGKILL to the process and to those that it has started. Resolves when the process has ended. */
  kill(): Promise<void>;
}

const orphanGuard = join(import.meta.dirname, 'orphan-guard.ts');

/** Starts a process in its own group, so that Ctrl-C reaches only this process, which then ends the others in order. */
export function startProcess({ name, command, args, env, logDir, graceMs, onLine }: ProcessSpec): ManagedProcess {
  mkdirSync(logDir, { recursive: true });
  const logFile = join(logDir, `${name}.log`);
  const log = createWriteStream(logFile, { flags: 'a' }); // appends, so that the log of a replaced process is kept
  let logFailed = false;
  log.on('error', () => {
    logFailed = true; // a full disk must not end the stack because of its logs
  });
  const child = spawn(process.execPath, [orphanGuard, String(graceMs), command, ...args], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const write = (line: string) => {
    if (!logFailed) log.write(`${line}\n`);
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    write(line);
    onLine?.(line);
  });
  createInterface({ input: child.stderr }).on('line', write);
  child.stdin.on('error', () => {}); // the process has already ended
  const logClosed = new Promise<void>((resolve) => log.once('close', () => resolve())); // after an error, too
  const ended = exitOf(child).then(async () => {
    log.end();
    await logClosed; // otherwise a reader of the log misses the last lines
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    logFile,
    ended,
    isRunning,
    kill: async () => {
      if (isRunning() && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL'); // the whole group
      await ended;
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** How long to wait for the last output after a process has ended. An orphaned child may keep the pipe open. */
const lastOutputMs = 1_000;

const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.on('error', () => resolve());
    child.on('close', () => resolve());
  });

/**
 * Polls until a process is ready.
 * @throws StartFailure with the end of its log, if the process ends first, or after `timeoutMs`
 */
export async function untilReady(
  managed: ManagedProcess,
  isReady: () => Promise<boolean>,
  { timeoutMs, pollMs = 100 }: { readonly timeoutMs: number; readonly pollMs?: number },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (!managed.isRunning()) {
      await Promise.race([managed.ended, sleep(lastOutputMs)]);
      throw new StartFailure(`${managed.name} ended before it was ready: ${lastLogLine(managed)}`);
    }
    if (await isReady().catch(() => false)) return;
    if (performance.now() > deadline)
      throw new StartFailure(`${managed.name} did not answer within ${timeoutMs / 1000} s: ${lastLogLine(managed)}`);
    await Promise.race([managed.ended, sleep(pollMs)]);
  }
}

/** Returns the last line that a process printed, or its event and reason if the line is JSON, and the path of its log. */
export function lastLogLine({ logFile }: ManagedProcess): string {
  try {
    const printed = readFileSync(logFile, 'utf8').slice(-4_000);
    if (isDiskFull(printed)) return diskFull;
    const last = reasonIn(printed.trimEnd().split('\n').at(-1) ?? '').slice(-300);
    return last === '' ? `see ${relative(logFile)}` : `"${last}" (log: ${relative(logFile)})`;
  } catch {
    return `see ${relative(logFile)}`;
  }
}

const logLine = z.object({ event: z.string(), fault: z.string().optional(), problems: z.string().optional() });

/** Returns what a line of worker/log.ts says. Returns any other line as it is, and nothing for other JSON. */
function reasonIn(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { event, fault, problems } = logLine.parse(JSON.parse(line));
    return [event, problems ?? fault].filter((part) => part !== undefined).join(': ');
  } catch {
    return '';
  }
}

const relative = (path: string): string => {
  const here = join(dirname(import.meta.dirname), '/');
  return path.startsWith(here) ? path.slice(here.length) : path;
};
