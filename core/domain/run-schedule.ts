/** When the day's run starts, and by when it has to be completed: hours in Germany. */
export interface RunSchedule {
  readonly startHour: number;
  readonly dueHour: number;
}

const hourMs = 3_600_000;
const hourInGermany = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/Berlin',
  hour: '2-digit',
  hourCycle: 'h23',
});

/** The last moment, at or before one, at which the clocks in Germany showed this full hour, epoch ms. An hour that summer time leaves out counts on the day before. */
export function lastHourMs(hour: number, atMs: number): number {
  let momentMs = Math.floor(atMs / hourMs) * hourMs; // Germany is whole hours away from UTC
  while (Number(hourInGermany.format(momentMs)) !== hour) momentMs -= hourMs;
  return momentMs;
}

/**
 * For how many minutes a completed run has been missing; 0 while none is. The last due hour asks for one that has ended since
 * the start before it: a run of the day before that ends later has taken in that start, and is the day's run too.
 * @param completedAtMs when completed runs have ended, epoch ms
 */
export function overdueMinutes(
  { startHour, dueHour }: RunSchedule,
  completedAtMs: readonly number[],
  nowMs: number,
): number {
  const dueMs = lastHourMs(dueHour, nowMs);
  const startMs = lastHourMs(startHour, dueMs);
  return completedAtMs.some((endMs) => endMs >= startMs) ? 0 : Math.floor((nowMs - dueMs) / 60_000);
}
