/**
 * Returns the ID of a run: its start time, then random digits. So IDs sort by time, and two starts in one second differ.
 * @param startedAtMs epoch ms
 * @param random eight hex digits
 * @returns such as `20261124T213000Z-1f3a9c0e`
 */
export const newRunId = (startedAtMs: number, random: string): string => `${runIdsAt(startedAtMs)}-${random}`;

/** Returns the start of the IDs of runs that start in this second. It sorts before them, and after all earlier ones. */
export const runIdsAt = (startedAtMs: number): string =>
  new Date(startedAtMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
