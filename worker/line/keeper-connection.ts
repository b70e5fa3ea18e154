import type { Clock } from '../../core/clock.ts';
import { channelToKeeper, type KeeperChannel } from './keeper-channel.ts';
import type { FromLineProcess } from './messages.ts';
import { SendPermit, type SendPermitOptions } from './send-permit.ts';

export interface KeeperConnection {
  /** the permission to send, which follows the keeper's orders */
  readonly permit: SendPermit;
  /** Tells the keeper that this process is ready. Before that, it may send nothing. */
  ready(): void;
}

/**
 * Connects this process to the keeper that forked it. When the keeper ends, this process ends immediately by SIGKILL, which
 * closes its sockets without any handler.
 * @param onStop called once when this process should shut down: the keeper has ordered it, or tasks wait here while another
 *   process has the lease
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
    if (message.kind === 'pause-written') return permit.confirmPause(message.pauseId);
    permit.obey(message);
    if (message.mustStop) stop();
  });
  return { permit, ready: () => tell({ kind: 'ready' }) };
}
