import { fork } from 'node:child_process';
import { findLauncher } from './launcher.ts';
import type { FromLineProcess, ToLineProcess } from './messages.ts';

/** The keeper's handle of the line process. */
export interface LineProcessHandle {
  /** undefined if it could not be started */
  readonly pid: number | undefined;
  readonly isConnected: boolean;
  send(message: ToLineProcess): void;
  /** Sends SIGKILL. */
  kill(): void;
}

export interface LineProcessListener {
  readonly onMessage: (message: FromLineProcess) => void;
  /** Called once, when the process has ended. @param how exit code, signal, or `not-started` */
  readonly onExit: (how: number | string) => void;
}

/** Starts the line process. Never calls the listener before it has returned. */
export type StartLineProcess = (listener: LineProcessListener) => LineProcessHandle;

/** Returns a function that forks the line process with this process's environment. @param entry its main module */
export function forkedFrom(entry: URL): StartLineProcess {
  const launcher = findLauncher();
  return ({ onMessage, onExit }) => {
    const child = fork(entry, { ...launcher, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let hasEnded = false;
    const handleEnd = (how: number | string): void => {
      if (!hasEnded) onExit(how);
      hasEnded = true;
    };
    child.on('message', (message) => onMessage(message as FromLineProcess));
    child.on('exit', (code, signal) => handleEnd(code ?? signal ?? 'unknown'));
    child.on('error', () => {
      if (child.pid === undefined) handleEnd('not-started');
    });
    return {
      pid: child.pid,
      get isConnected() {
        return child.connected;
      },
      send: (message) => void child.send(message, () => {}), // errors are ignored: a broken channel ends the child, and onExit follows
      kill: () => void child.kill('SIGKILL'),
    };
  };
}
