/**
 * The clocks and timers of a process. The code of the line takes them as an argument, so that the simulation
 * (test/simulation) can run the same code on simulated time.
 */
export interface Clock {
  /**
   * Returns milliseconds of CLOCK_MONOTONIC. All processes of a machine share this clock, so a moment can be sent over
   * IPC.
   */
  monotonicMs(): number;
  /** Returns milliseconds since 1970 by the wall clock, which people and NTP can set back. */
  epochMs(): number;
  /** Calls `action` once after the delay. @returns a function that cancels the call */
  after(delayMs: number, action: () => void): () => void;
  /** Calls `action` once per interval. @returns a function that stops the calls */
  every(intervalMs: number, action: () => void): () => void;
  /** Calls `action` once, after all input that is available now has been read (setImmediate). */
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

/**
 * Calls `action` at a moment of the monotonic clock, however far away, or immediately if the moment has passed.
 * @returns a function that cancels the call
 */
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

/** Resolves after the delay. Rejects with the signal's reason if the signal aborts before. */
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

/**
 * Returns a signal that aborts with a TimeoutError after the delay, like AbortSignal.timeout, unless it is cancelled
 * before.
 */
export function timeoutSignal(clock: Clock, delayMs: number): { readonly signal: AbortSignal; cancel(): void } {
  const limit = new AbortController();
  const cancel = clock.after(delayMs, () =>
    limit.abort(new DOMException(`timed out after ${delayMs} ms`, 'TimeoutError')),
  );
  return { signal: limit.signal, cancel };
}
