import { Context } from '@temporalio/activity';

const heartbeatMs = 5_000;

/** One attempt of a long activity: it heartbeats by itself, and tells what is done for the next attempt. */
export interface Heartbeats<Done> {
  /** what earlier attempts have done, and this one since */
  readonly done: Done;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  /** Tells at once what is done by now. */
  tell(done: Done): void;
}

/** Heartbeats for as long as the work lasts. @param nothing what is done before the first attempt */
export async function withHeartbeats<Done, Answer>(
  nothing: Done,
  work: (heartbeats: Heartbeats<Done>) => Promise<Answer>,
): Promise<Answer> {
  const context = Context.current(); // taken once: the ambient one may be another activity's later
  let done = (context.info.heartbeatDetails as Done | undefined) ?? nothing;
  const heartbeat = (): void => context.heartbeat(done);
  const timer = setInterval(heartbeat, heartbeatMs);
  heartbeat(); // or an attempt that dies soon would take with it what earlier ones have done
  try {
    return await work({
      get done() {
        return done;
      },
      signal: context.cancellationSignal,
      tell(more) {
        done = more;
        heartbeat();
      },
    });
  } finally {
    clearInterval(timer);
  }
}
