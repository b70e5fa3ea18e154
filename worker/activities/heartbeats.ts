import { Context } from '@temporalio/activity';

const heartbeatMs = 5_000;

/** One attempt of a long activity: it heartbeats by itself, and tells what is done for the next attempt. */
export interface Heartbeats<Done> extends Disposable {
  /** what earlier attempts have done, and this one since */
  readonly done: Done;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  /** Tells at once what is done by now. */
  tell(done: Done): void;
}

/** @param nothing what is done before the first attempt */
export function startHeartbeats<Done>(nothing: Done): Heartbeats<Done> {
  const context = Context.current(); // taken once: the ambient one may be another activity's later
  let done = (context.info.heartbeatDetails as Done | undefined) ?? nothing;
  const timer = setInterval(() => context.heartbeat(done), heartbeatMs);
  context.heartbeat(done); // or an attempt that dies soon would take it with it
  return {
    get done() {
      return done;
    },
    signal: context.cancellationSignal,
    tell(more) {
      done = more;
      context.heartbeat(done);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
