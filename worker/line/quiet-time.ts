import type { Clock } from '../../core/clock.ts';
import type { Priority } from '../../core/domain/line.ts';
import { type QuietHours, quietUntilMs } from '../../core/domain/quiet-hours.ts';

/** Returns for how long requests of this priority have to wait now, in ms; 0 if they need not. */
export type QuietTime = (priority: Priority) => number;

export const neverQuiet: QuietTime = () => 0;

/**
 * Returns the quiet time of a line process, by its wall clock.
 * @param quietHours LINE_QUIET_HOURS
 * @param people LINE_QUIET_HOURS_PEOPLE: whether people's syncs go on
 */
export function createQuietTime(quietHours: QuietHours, people: 'go' | 'wait', clock: Clock): QuietTime {
  /** the quiet hours that were found last, because the calendar is slow */
  let found = { fromMs: 0, untilMs: 0 };
  return (priority) => {
    if (quietHours.length === 0 || (priority === 'person' && people === 'go')) return 0;
    const nowMs = clock.epochMs();
    if (nowMs < found.fromMs || nowMs >= found.untilMs)
      found = { fromMs: nowMs, untilMs: quietUntilMs(quietHours, nowMs) ?? nowMs };
    return found.untilMs - nowMs;
  };
}
