/** Hours at which the daily run starts and must be completed, in German time. */
export interface RunSchedule {
  readonly startHour: number;
  readonly dueHour: number;
}

/** The time zone of the schedule and of the quiet hours. */
export const germanTimeZone = 'Europe/Berlin';

const hourMs = 3_600_000;
const hourInGermany = new Intl.DateTimeFormat('en-GB', {
  timeZone: germanTimeZone,
  hour: '2-digit',
  hourCycle: 'h23',
});

/**
 * Returns the last moment, at or before `atMs`, at which clocks in Germany showed this full hour, in epoch ms. Skips
 * days on which summer time leaves out the hour.
 */
export function lastHourMs(hour: number, atMs: number): number {
  let momentMs = Math.floor(atMs / hourMs) * hourMs; // the offset of German time is whole hours
  while (Number(hourInGermany.format(momentMs)) !== hour) momentMs -= hourMs;
  return momentMs;
}

/**
 * Returns for how many minutes a completed run has been overdue; 0 if none is. At the due hour, a run must have ended
 * since the start hour before it. A run of the previous day that ends later counts, too, because the start of the day
 * joined it.
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
