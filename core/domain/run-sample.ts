/** How far a run was at a moment: counts only. */
export interface RunSample {
  /** ISO 8601 UTC */
  readonly at: string;
  /** patients whose care records are stored */
  readonly done: number;
  readonly failed: number;
}

/** So many are kept of a run, however long it takes. */
const samplesMax = 240;

/** One sample more, unless nothing has changed; where there are too many, every second one goes, and the shape stays. */
export function addSample(samples: readonly RunSample[], sample: RunSample): readonly RunSample[] {
  const last = samples.at(-1);
  if (last && (last.at >= sample.at || (last.done === sample.done && last.failed === sample.failed))) return samples;
  const thinned = samples.length < samplesMax ? samples : samples.filter((_, index) => index % 2 === 0);
  return [...thinned, sample];
}
