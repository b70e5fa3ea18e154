/** The progress of a run at one moment, as counts only. */
export interface RunSample {
  /** ISO 8601 UTC */
  readonly at: string;
  /** patients whose care records are stored */
  readonly done: number;
  readonly failed: number;
}

/** Maximum number of samples for one run. */
const samplesMax = 240;

/**
 * Adds a sample, unless nothing has changed. If there are too many, drops every second sample, which keeps the shape of
 * the curve.
 */
export function addSample(samples: readonly RunSample[], sample: RunSample): readonly RunSample[] {
  const last = samples.at(-1);
  if (last && (last.at >= sample.at || (last.done === sample.done && last.failed === sample.failed))) return samples;
  const thinned = samples.length < samplesMax ? samples : samples.filter((_, index) => index % 2 === 0);
  return [...thinned, sample];
}
