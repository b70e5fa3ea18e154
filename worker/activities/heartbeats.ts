import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WriteGuard } from '../../core/stores/write-guard.ts';

const heartbeatMs = 1_000;
/**
 * An attempt that has stood still for so long may have been given to another worker: the heartbeat times out after 10 s,
 * of which the SDK may hold a heartbeat back for some.
 */
const standstillMaxMs = 5_000;

/** One attempt of a long activity: it heartbeats by itself, and tells what is done for the next attempt. */
export interface Heartbeats<Done> {
  /** what earlier attempts have done, and this one since */
  readonly done: Done;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  /** ends the attempt's writes once another one may be under way */
  readonly writeGuard: WriteGuard;
  /** Tells at once what is done by now. */
  report(done: Done): void;
}

/**
 * Heartbeats for as long as the work lasts.
 * @param nothing what is done before the first attempt
 * @param nowMs a clock that goes on while the process is frozen
 */
export async function withHeartbeats<Done, Answer>(
  nothing: Done,
  work: (heartbeats: Heartbeats<Done>) => Promise<Answer>,
  nowMs: () => number = () => performance.now(),
): Promise<Answer> {
  const context = Context.current(); // taken once: the ambient one may be another activity's later
  const stale = new AbortController();
  let done = (context.info.heartbeatDetails as Done | undefined) ?? nothing;
  let tickedMs = nowMs();
  /** Once stale, always stale: a late tick must not make up for the standstill before it. */
  const look = (): void => {
    if (nowMs() - tickedMs > standstillMaxMs && !stale.signal.aborted)
      stale.abort(ApplicationFailure.retryable('stood still, another attempt may be under way', 'StoodStill'));
  };
  const heartbeat = (): void => {
    look();
    if (stale.signal.aborted) return;
    tickedMs = nowMs();
    context.heartbeat(done);
  };
  const timer = setInterval(heartbeat, heartbeatMs);
  heartbeat(); // or an attempt that dies soon would take with it what earlier ones have done
  try {
    return await work({
      get done() {
        return done;
      },
      signal: context.cancellationSignal,
      writeGuard: {
        signal: stale.signal,
        check() {
          look();
          stale.signal.throwIfAborted();
        },
      },
      report(more) {
        done = more;
        heartbeat();
      },
    });
  } finally {
    clearInterval(timer);
  }
}
