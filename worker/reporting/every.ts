/** How often it is looked whether something is due, ms. */
const checkMs = 500;

/**
 * Does something every so often, and at once when that becomes wanted. Never twice at a time.
 * @param isWanted whether the next one may be due before its time: when this turns true
 * @returns ends it, and does it for the last time; resolves when that is done
 */
export function repeat(ms: number, isWanted: () => boolean, work: () => Promise<void>): () => Promise<void> {
  let doneAtMs = performance.now();
  let wasWanted = false;
  let working: Promise<void> = Promise.resolve();
  let isWorking = false;
  const timer = setInterval(
    () => {
      const turnsWanted = isWanted() && !wasWanted;
      wasWanted = isWanted();
      if (isWorking || (!turnsWanted && performance.now() - doneAtMs < ms)) return;
      doneAtMs = performance.now();
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
