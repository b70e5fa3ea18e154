import type { Clock } from '../../core/clock.ts';
import { Grant, type GrantOptions } from './grant.ts';
import type { FromChild } from './messages.ts';
import { channelToParent, type ParentChannel } from './parent-channel.ts';

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
export function attachToParent({
  onStop,
  channel = channelToParent(),
  ...options
}: {
  readonly writeHold: GrantOptions['writeHold'];
  readonly pauseGraceMs: number;
  readonly lineMinGapMs: number;
  readonly onStop: () => void;
  readonly channel?: ParentChannel;
  readonly clock?: Clock;
}): Parent {
  const end = (): void => {
    grant.cutNow();
    channel.die();
  };
  const tell = (message: FromChild): void => channel.send(message);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    onStop();
  };
  const grant = new Grant({ ...options, tell, onStuck: end, onLeaseLost: stop });
  channel.onClose(end);
  channel.onMessage((message) => {
    if (message.kind === 'written') return grant.confirm(message.request);
    grant.obey(message);
    if (message.stop) stop();
  });
  return { grant, ready: () => tell({ kind: 'ready' }) };
}
