/**
 * Time as a process has it: two clocks and timers. Code of the line takes it as an argument, so that the simulation of the
 * line (test/simulation) can run the same code on simulated time.
 */
export interface Clock {
  /** Milliseconds of CLOCK_MONOTONIC: the same clock in all processes of one machine, so that a moment can be sent over IPC. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the wall clock, which people and NTP can set back. */
  epochMs(): number;
  /** Calls once after the delay. @returns cancels the call */
  after(delayMs: number, action: () => void): () => void;
  /** Calls once per interval. @returns stops it */
  every(intervalMs: number, action: () => void): () => void;
  /** Calls once, after all that can be read at this moment has been read (setImmediate). */
  afterReading(action: () => void): void;
}

export const systemClock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  epochMs: () => Date.now(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  every: (intervalMs, action) => {
    const timer = setInterval(action, intervalMs);
    return () => clearInterval(timer);
  },
  afterReading: (action) => void setImmediate(action),
};

/** Calls at a moment of the monotonic clock, however far away; at once when it has passed. @returns cancels the call */
export function atMonotonic(clock: Clock, momentMs: number, action: () => void): () => void {
  let cancel: () => void;
  const arm = (): void => {
    const leftMs = momentMs - clock.monotonicMs();
    cancel = clock.after(Math.min(Math.max(Math.ceil(leftMs), 0), longestTimerMs), () =>
      clock.monotonicMs() >= momentMs ? action() : arm(),
    );
  };
  arm();
  return () => cancel();
}
const longestTimerMs = 3_600_000;

/** Resolves after the delay. Rejects with the signal's reason when that aborts before. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    const abort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** A signal that aborts after the delay with a TimeoutError, as AbortSignal.timeout does, unless it is cancelled before. */
export function timeoutSignal(clock: Clock, delayMs: number): { readonly signal: AbortSignal; cancel(): void } {
  const limit = new AbortController();
  const cancel = clock.after(delayMs, () => limit.abort(new DOMException('too late', 'TimeoutError')));
  return { signal: limit.signal, cancel };
}
