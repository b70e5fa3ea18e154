/** How old stored care records are. */
export interface CareRecordsAge {
  /** age of the oldest ones, in whole days; absent if no age is known */
  readonly oldestDays?: number;
  /** median of all known ages, in whole days */
  readonly medianDays?: number;
  /** patients whose care records 0.2.0 has stored, without their date */
  readonly unknown: number;
}

const dayMs = 24 * 60 * 60_000;

/**
 * Returns the age of care records.
 * @param asOfMs when those of each patient were received, epoch ms; it is sorted in place
 * @param unknown number of patients whose date is unknown
 */
export function careRecordsAgeOf(asOfMs: Float64Array, unknown: number, nowMs: number): CareRecordsAge {
  const ordered = asOfMs.sort();
  const daysOf = (atMs: number | undefined): number => Math.max(0, Math.floor((nowMs - (atMs ?? nowMs)) / dayMs));
  if (ordered.length === 0) return { unknown };
  return { oldestDays: daysOf(ordered[0]), medianDays: daysOf(ordered[Math.floor(ordered.length / 2)]), unknown };
}

/** Progress of the refresh that follows a run, apart from that of new patients. */
export interface RefreshProgress {
  /** `stopped`: by the next run, by an operator, or after many answers 410 */
  readonly state: 'running' | 'completed' | 'stopped';
  /** stale patients that are still to be asked for; absent until they are counted */
  readonly pending?: number;
  /** fetched and stored */
  readonly done: number;
  /** not changed: the insurer has answered 304, or somebody has asked meanwhile */
  readonly unchanged: number;
  readonly failed: number;
  /** removed after a 410 */
  readonly removed: number;
  /** kept after a 410 because there were many: the next run asks for them again; absent if there are none */
  readonly held?: number;
  /** of done: answers that break the contract and are stored as they were sent; absent if there are none */
  readonly flagged?: number;
  /** the operator who has stopped it, and why */
  readonly cancellation?: { readonly by: string; readonly reason: string };
}
