import type { FromLineProcess, ToLineProcess } from './messages.ts';

/** The line process's channel to its keeper. */
export interface KeeperChannel {
  send(message: FromLineProcess): void;
  onMessage(listener: (message: ToLineProcess) => void): void;
  /** Calls the listener when the keeper is gone. */
  onClose(listener: () => void): void;
  /** Ends this process by SIGKILL, which closes its sockets without any handler. */
  die(): void;
}

/** Returns the channel to the process that forked this one. @throws Error if this process was not forked */
export function channelToKeeper(): KeeperChannel {
  if (process.send === undefined)
    throw new Error('cannot start: the line process has no keeper. Start worker/main.ts, which starts it.');
  // Ctrl-C reaches the whole process group, but only the keeper decides when this process ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  return {
    send: (message) => void process.send?.(message, undefined, undefined, () => {}), // errors are ignored: a closed channel ends this process
    onMessage: (listener) => void process.on('message', (message) => listener(message as ToLineProcess)),
    onClose: (listener) => void process.on('disconnect', listener),
    die: () => void process.kill(process.pid, 'SIGKILL'),
  };
}
