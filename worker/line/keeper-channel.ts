import type { FromLineProcess, ToLineProcess } from './messages.ts';

/** The keeper, as the process of the line can reach it. */
export interface KeeperChannel {
  send(message: FromLineProcess): void;
  onMessage(listener: (message: ToLineProcess) => void): void;
  /** The keeper is gone. */
  onClose(listener: () => void): void;
  /** Ends this process by SIGKILL, so that no handler can delay the closing of its sockets. */
  die(): void;
}

/** The channel to the process that forked this one. @throws Error when there is none */
export function channelToKeeper(): KeeperChannel {
  if (process.send === undefined) throw new Error('the process of the line is started by a worker, never by itself');
  // Ctrl-C reaches the whole process group; only the keeper decides when this process ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  return {
    send: (message) => void process.send?.(message, undefined, undefined, () => {}), // one that is closed ends this process
    onMessage: (listener) => void process.on('message', (message) => listener(message as ToLineProcess)),
    onClose: (listener) => void process.on('disconnect', listener),
    die: () => void process.kill(process.pid, 'SIGKILL'),
  };
}
