import { ApplicationFailure, Context, type Info } from '@temporalio/activity';
import type { WriteGuard } from '../../core/stores/write-guard.ts';

/** Interval in which attempts decide whether to heartbeat. */
export const heartbeatMs = 1_000;
/**
 * Returns after how many ms an attempt may send its first heartbeat: an interval before half of the timeout, and before
 * `mostMs`. The SDK takes a while until it sends it, and a process that is short of CPU learns late that an attempt has started.
 * Temporal bills heartbeats, and most attempts end before.
 * @param mostMs the maximum time between heartbeats, if it is shorter than half of the timeout
 */
export const firstHeartbeatMs = (
  { heartbeatTimeoutMs }: Pick<Info, 'heartbeatTimeoutMs'>,
  mostMs = Number.POSITIVE_INFINITY,
): number => Math.min(mostMs, (heartbeatTimeoutMs ?? Number.POSITIVE_INFINITY) / 2) - heartbeatMs;

/** Maximum time between two heartbeats that the SDK sends in worker/main.ts: shorter than standstillMaxMs. */
export const syncHeartbeatMaxMs = 4_000;
/**
 * Maximum time without a heartbeat. After a longer standstill another worker may have the activity: the heartbeat timeout is
 * 10 s, and the SDK can delay a heartbeat.
 */
const standstillMaxMs = 5_000;

/**
 * What an attempt leaves to the next one, as Temporal has it. The IDs of workflows and activities repeat each day, and with them
 * what the codec binds a payload to. So the details name the execution of the workflow (ADR 0059). All other fields are what
 * is left, where workers of 0.2.0 look for it: after a rollback they take over the activities of a run.
 */
export interface HeartbeatDetails {
  /** Temporal's run ID */
  readonly execution: string;
}

const executionOf = ({ workflowExecution }: Info): string => workflowExecution?.runId ?? '';

/** Heartbeats, and leaves something to the next attempt. */
export const leave = (context: Context, left: object | undefined): void => {
  const details: HeartbeatDetails = { ...left, execution: executionOf(context.info) };
  context.heartbeat(details);
};

/** Returns what the attempt before has left; nothing if there is none, or somebody has sent a copy from another execution. */
export function readLeft({ info }: Context): object {
  const { execution, ...left } = (info.heartbeatDetails ?? {}) as Partial<HeartbeatDetails>;
  return execution === executionOf(info) ? left : {};
}

/** One attempt of a long activity. It heartbeats by itself, and passes on what is done to the next attempt. */
export interface Heartbeats<Done extends object | undefined> {
  /** what earlier attempts and this one have done */
  readonly done: Done;
  /** aborts when the activity is cancelled or its worker shuts down */
  readonly signal: AbortSignal;
  /** stops the attempt's writes once another attempt may be running */
  readonly writeGuard: WriteGuard;
  /** Sends what is done with an immediate heartbeat. */
  report(done: Done): void;
}

/**
 * Runs work and heartbeats until it ends. An attempt that ends soon and reports nothing sends no heartbeat.
 * @param initial what is done before the first attempt
 * @param nowMs a clock that continues while the process is frozen
 * @throws ApplicationFailure `StoodStill`, retryable, from the write guard after a standstill
 */
export async function withHeartbeats<Done extends object | undefined, Answer>(
  initial: Done,
  work: (heartbeats: Heartbeats<Done>) => Promise<Answer>,
  nowMs: () => number = () => performance.now(),
): Promise<Answer> {
  const context = Context.current(); // read once: a later callback can run in the context of another activity
  const stale = new AbortController();
  let done = (initial && { ...initial, ...readLeft(context) }) as Done;
  /** when this process last ran the timer or reported: not each tick sends a heartbeat */
  let tickAtMs = nowMs();
  const firstAtMs = tickAtMs + firstHeartbeatMs(context.info, syncHeartbeatMaxMs);
  /** A stale attempt stays stale: a late heartbeat must not hide the standstill before it. */
  const checkStandstill = (): void => {
    if (nowMs() - tickAtMs > standstillMaxMs && !stale.signal.aborted)
      stale.abort(
        ApplicationFailure.retryable('the activity stood still: another attempt may be running', 'StoodStill'),
      );
  };
  const heartbeat = (isNews: boolean): void => {
    checkStandstill();
    if (stale.signal.aborted) return;
    tickAtMs = nowMs();
    if (isNews || tickAtMs >= firstAtMs) leave(context, done);
  };
  const timer = setInterval(() => heartbeat(false), heartbeatMs);
  try {
    return await work({
      get done() {
        return done;
      },
      signal: context.cancellationSignal,
      writeGuard: {
        signal: stale.signal,
        check() {
          checkStandstill();
          stale.signal.throwIfAborted();
        },
      },
      report(newDone) {
        done = newDone;
        heartbeat(true);
      },
    });
  } finally {
    clearInterval(timer);
  }
}
