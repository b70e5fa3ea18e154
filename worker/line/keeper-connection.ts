import type { Clock } from '../../core/clock.ts';
import { channelToKeeper, type KeeperChannel } from './keeper-channel.ts';
import type { FromLineProcess } from './messages.ts';
import { SendPermit, type SendPermitOptions } from './send-permit.ts';

export interface KeeperConnection {
  /** the right to send, as the keeper grants it */
  readonly permit: SendPermit;
  /** Says that this process can be granted something. Before that it may send nothing. */
  ready(): void;
}

/**
 * Binds this process, a line process, to the keeper that forked it. It ends when the keeper does: at once, by SIGKILL, so that no
 * handler can delay the closing of its sockets.
 * @param onStop called once, when this process is to end in order: by the keeper's wish, or because tasks wait here for
 *   a lease that another process has
 */
export function connectToKeeper({
  onStop,
  channel = channelToKeeper(),
  ...options
}: {
  readonly writeCooldown: SendPermitOptions['writeCooldown'];
  readonly pauseGraceMs: number;
  readonly lineMinGapMs: number;
  readonly onStop: () => void;
  readonly channel?: KeeperChannel;
  readonly clock?: Clock;
}): KeeperConnection {
  const end = (): void => {
    permit.abortNow();
    channel.die();
  };
  const tell = (message: FromLineProcess): void => channel.send(message);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    onStop();
  };
  const permit = new SendPermit({ ...options, tell, onStuck: end, onLeaseLost: stop });
  channel.onClose(end);
  channel.onMessage((message) => {
    if (message.kind === 'written') return permit.confirm(message.request);
    permit.obey(message);
    if (message.stop) stop();
  });
  return { permit, ready: () => tell({ kind: 'ready' }) };
}
