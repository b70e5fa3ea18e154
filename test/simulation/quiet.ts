const minuteMs = 60_000;
/** The simulation begins at 12:06 in Germany. Every third minute of two hours is quiet. */
const [firstHour, hours, every] = [12, 2, 3];

/** LINE_QUIET_HOURS of the simulated workers. */
export const simulatedQuietHours = Array.from({ length: (hours * 60) / every }, (_, index) => {
  const start = firstHour * 60 + (index + 1) * every - 1;
  const clock = (minute: number): string => `${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, '0')}`;
  return `Wed ${clock(start)}-${clock(start + 1)}`;
}).join('; ');

/** Returns whether it is quiet by a wall clock. Germany is one hour ahead of UTC then. Does not use the code of the line. */
export function isQuietAt(epochMs: number): boolean {
  const minute = Math.floor(epochMs / minuteMs);
  const hour = Math.floor(minute / 60) % 24;
  return hour >= firstHour - 1 && hour < firstHour - 1 + hours && minute % every === every - 1;
}

/** Returns the time until the next quiet minute of the two hours begins, ms. */
export function msUntilQuiet(epochMs: number): number {
  const period = every * minuteMs;
  return period - ((epochMs + minuteMs) % period);
}
