/** How many bytes had arrived in total at some moments of the last minute, oldest first. Times are in ms, of any one clock. */
export type ByteSamples = readonly { readonly atMs: number; readonly bytes: number }[];

const windowMs = 60_000;

/** Adds a sample. Keeps the samples of the last minute, and the last one before it. */
export function addByteSample(samples: ByteSamples, atMs: number, bytes: number): ByteSamples {
  const firstInWindow = samples.findIndex((sample) => sample.atMs > atMs - windowMs);
  const kept = firstInWindow === -1 ? samples.slice(-1) : samples.slice(Math.max(0, firstInWindow - 1));
  return [...kept, { atMs, bytes }];
}

/** Returns the bytes per second over the last minute, or since the first sample if that is shorter. */
export function bytesPerSecond(samples: ByteSamples): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return Math.round(((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1_000);
}
