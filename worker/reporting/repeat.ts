/** Interval in milliseconds at which due work is looked for. */
const checkMs = 500;

/**
 * Repeats work at an interval, and also as soon as `isWanted` becomes true. Two runs never overlap.
 * @param isWanted checked every 500 ms; a change to true starts the work before its time
 * @returns stops the repetition and runs the work a last time; resolves once that has ended
 */
export function repeat(ms: number, isWanted: () => boolean, work: () => Promise<void>): () => Promise<void> {
  let lastStartMs = performance.now();
  let wasWanted = false;
  let working: Promise<void> = Promise.resolve();
  let isWorking = false;
  const timer = setInterval(
    () => {
      const becomesWanted = isWanted() && !wasWanted;
      wasWanted = isWanted();
      if (isWorking || (!becomesWanted && performance.now() - lastStartMs < ms)) return;
      lastStartMs = performance.now();
      isWorking = true;
      working = work().finally(() => {
        isWorking = false;
      });
    },
    Math.min(checkMs, ms),
  );
  return async () => {
    clearInterval(timer);
    await working;
    await work();
  };
}
