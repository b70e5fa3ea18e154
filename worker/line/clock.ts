/** Milliseconds of CLOCK_MONOTONIC: the same clock in all processes of one machine, so that a moment can be sent over IPC. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** setTimeout for a moment on the monotonic clock, however far away; fires at once when it has passed. */
export function atMonotonic(momentMs: number, action: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const leftMs = momentMs - monotonicMs();
    timer = setTimeout(
      () => (monotonicMs() >= momentMs ? action() : arm()),
      Math.min(Math.max(Math.ceil(leftMs), 0), longestTimerMs),
    );
  };
  arm();
  return () => clearTimeout(timer);
}
const longestTimerMs = 3_600_000;
