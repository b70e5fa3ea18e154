import { Grant, type GrantOptions } from './grant.ts';
import type { FromChild, ToChild } from './messages.ts';

export interface Parent {
  /** the right to send, as the parent grants it */
  readonly grant: Grant;
  /** Says that this process can be granted something. Before that it may send nothing. */
  ready(): void;
}

/**
 * Binds this process, a child, to the keeper that forked it. It ends when the keeper does: at once, by SIGKILL, so that no
 * handler can delay the closing of its sockets.
 * @param onStop called once, when this process is to end in order: by the keeper's wish, or because tasks wait here for
 *   a lease that another process has
 */
export function attachToParent(options: {
  readonly writeHold: GrantOptions['writeHold'];
  readonly pauseGraceMs: number;
  readonly lineMinGapMs: number;
  readonly onStop: () => void;
}): Parent {
  if (process.send === undefined) throw new Error('the process of the line is started by a worker, never by itself');
  const end = (): void => {
    grant.cutNow();
    process.kill(process.pid, 'SIGKILL');
  };
  const tell = (message: FromChild): void => {
    process.send?.(message, undefined, undefined, () => {}); // a channel that is closed ends this process: see below
  };
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    options.onStop();
  };
  const grant = new Grant({ ...options, tell, onStuck: end, onLeaseLost: stop });
  process.on('disconnect', end);
  process.on('message', (message) => {
    const said = message as ToChild;
    if (said.kind === 'written') return grant.confirm(said.request);
    grant.obey(said);
    if (said.stop) stop();
  });
  // Ctrl-C reaches the whole process group; only the keeper decides when this process ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  return { grant, ready: () => tell({ kind: 'ready' }) };
}
