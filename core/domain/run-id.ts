/**
 * Returns the ID of a run: its start in seconds, then the milliseconds as three hex digits, then random ones. So IDs sort by
 * time, and two starts in one millisecond differ.
 * @param startedAtMs epoch ms
 * @param random hex digits; five by the caller that starts runs
 * @returns such as `20261124T213000Z-1f3a9c0e`, 499 ms after the full second
 */
export const newRunId = (startedAtMs: number, random: string): string =>
  `${runIdsAt(startedAtMs)}-${(startedAtMs % 1_000).toString(16).padStart(3, '0')}${random}`;

/** Returns the start of the IDs of runs that start in this second. It sorts before them, and after all earlier ones. */
export const runIdsAt = (startedAtMs: number): string =>
  new Date(startedAtMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
