import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';

export interface ProcessSpec {
  /** what people call it: in messages, and the name of its log */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** its folder for logs; what the process prints goes to `{name}.log` there */
  readonly logDir: string;
  /** ms between SIGTERM and SIGKILL */
  readonly graceMs: number;
  readonly onLine?: (line: string) => void;
}

/** A process on a leash: it ends with us, however we end. */
export interface ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  /** resolves once it has ended, by itself or not, and its log is written */
  readonly ended: Promise<void>;
  readonly isRunning: () => boolean;
  /** SIGTERM, then after the grace SIGKILL; resolves when it is gone */
  stop(): Promise<void>;
}

const orphanGuard = join(import.meta.dirname, 'orphan-guard.ts');

/** Starts a process of its own group, so that Ctrl-C reaches only us and we end things in the right order. */
export function startProcess({ name, command, args, env, logDir, graceMs, onLine }: ProcessSpec): ManagedProcess {
  mkdirSync(logDir, { recursive: true });
  const logFile = join(logDir, `${name}.log`);
  const log = createWriteStream(logFile, { flags: 'a' }); // the words of one that died, and that this one replaces, stay
  let logFailed = false;
  log.on('error', () => {
    logFailed = true; // a full disk must not end the stack by way of its logs
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
  child.stdin.on('error', () => {}); // it has ended already
  const logClosed = new Promise<void>((resolve) => log.once('close', () => resolve())); // after an error, too
  const ended = exitOf(child).then(async () => {
    log.end();
    await logClosed; // otherwise a reader of the log misses the last lines
  });
  return {
    name,
    logFile,
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** What a process prints last arrives after its end; a child that it has left behind may keep its pipe open, ms. */
const lastOutputMs = 1_000;

const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.on('error', () => resolve());
    child.on('close', () => resolve());
  });

/**
 * Asks again and again until a process answers.
 * @throws StartFailure when it ends before, or after `timeoutMs`, with the end of its log
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

/** The last line that a process printed, and where the rest is. */
export function lastLogLine({ logFile }: ManagedProcess): string {
  try {
    const printed = readFileSync(logFile, 'utf8').slice(-4_000);
    if (isDiskFull(printed)) return diskFull;
    const last = printed.trimEnd().split('\n').at(-1)?.slice(-300);
    return last && !last.startsWith('{') ? `"${last}" (log: ${relative(logFile)})` : `see ${relative(logFile)}`;
  } catch {
    return `see ${relative(logFile)}`;
  }
}

const relative = (path: string): string => {
  const here = join(dirname(import.meta.dirname), '/');
  return path.startsWith(here) ? path.slice(here.length) : path;
};
