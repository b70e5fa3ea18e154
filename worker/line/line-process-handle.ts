import { fork } from 'node:child_process';
import { findLauncher } from './launcher.ts';
import type { FromLineProcess, ToLineProcess } from './messages.ts';

/** The process of the line, as its keeper can reach it. */
export interface LineProcessHandle {
  /** undefined when it could not be started */
  readonly pid: number | undefined;
  readonly connected: boolean;
  send(message: ToLineProcess): void;
  /** SIGKILL */
  kill(): void;
}

export interface LineProcessListener {
  readonly onMessage: (message: FromLineProcess) => void;
  /** Called once, when the process is gone. @param how exit code, signal, or `not-started` */
  readonly onExit: (how: number | string) => void;
}

/** Starts the process of the line; never calls its listener before it has returned. */
export type StartLineProcess = (listener: LineProcessListener) => LineProcessHandle;

/** @param entry of the process; it gets this process's environment */
export function forkedFrom(entry: URL): StartLineProcess {
  const launcher = findLauncher();
  return ({ onMessage, onExit }) => {
    const child = fork(entry, { ...launcher, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let isOver = false;
    const over = (how: number | string): void => {
      if (!isOver) onExit(how);
      isOver = true;
    };
    child.on('message', (message) => onMessage(message as FromLineProcess));
    child.on('exit', (code, signal) => over(code ?? signal ?? 'unknown'));
    child.on('error', () => {
      if (child.pid === undefined) over('not-started');
    });
    return {
      pid: child.pid,
      get connected() {
        return child.connected;
      },
      send: (message) => void child.send(message, () => {}), // a channel that breaks ends the child: onExit
      kill: () => void child.kill('SIGKILL'),
    };
  };
}
