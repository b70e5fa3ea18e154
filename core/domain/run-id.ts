/**
 * Returns the ID of a run: its start time, then random digits. So IDs sort by time, and two starts in one second differ.
 * @param startedAtMs epoch ms
 * @param random eight hex digits
 * @returns such as `20261124T213000Z-1f3a9c0e`
 */
export function newRunId(startedAtMs: number, random: string): string {
  const basic = new Date(startedAtMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  return `${basic}-${random}`;
}
