const bucketMs = 10_000;
const windowMs = 5 * 60_000;

/** Counts of finished patients in the last five minutes, in buckets of ten seconds. Times are epoch ms. */
export interface RecentRate {
  readonly sinceMs: number;
  readonly buckets: readonly { readonly atMs: number; readonly count: number }[];
}

export const startRate = (nowMs: number): RecentRate => ({ sinceMs: nowMs, buckets: [] });

export function countFinished(rate: RecentRate, nowMs: number): RecentRate {
  const atMs = Math.floor(nowMs / bucketMs) * bucketMs;
  const kept = rate.buckets.filter((bucket) => bucket.atMs > nowMs - windowMs && bucket.atMs !== atMs);
  const count = (rate.buckets.find((bucket) => bucket.atMs === atMs)?.count ?? 0) + 1;
  return { sinceMs: rate.sinceMs, buckets: [...kept, { atMs, count }] };
}

/** Returns the patients finished per minute over the last five minutes, or since counting began if that is shorter. */
export function ratePerMinute(rate: RecentRate, nowMs: number): number {
  const fromMs = Math.max(rate.sinceMs, nowMs - windowMs);
  const finished = rate.buckets
    .filter((bucket) => bucket.atMs + bucketMs > fromMs)
    .reduce((sum, bucket) => sum + bucket.count, 0);
  const minutes = Math.max(nowMs - fromMs, 1_000) / 60_000;
  return Math.round((finished / minutes) * 10) / 10;
}

/** Returns the seconds until `pending` patients are done at that rate; undefined while no patient has been finished. */
export const etaSeconds = (pending: number, perMinute: number): number | undefined =>
  pending === 0 ? 0 : perMinute === 0 ? undefined : Math.ceil((pending / perMinute) * 60);
