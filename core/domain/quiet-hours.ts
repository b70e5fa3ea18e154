import { germanTimeZone } from './run-schedule.ts';

/** Quiet hours of a week (LINE_QUIET_HOURS), in German time. */
export type QuietHours = readonly QuietWindow[];

/** A window, in minutes since Monday 00:00. `endMinute` is above the minutes of a week if the window ends in the next one. */
interface QuietWindow {
  readonly startMinute: number;
  readonly endMinute: number;
}

const dayNames = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const minutesOfDay = 24 * 60;
const minutesOfWeek = 7 * minutesOfDay;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const weekdayAndTime = new Intl.DateTimeFormat('en-GB', {
  timeZone: germanTimeZone,
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/**
 * Reads windows such as `Mon-Fri 08:00-18:00; Sat 22:00-06:00`, separated by `,` or `;`. Without days, a window is for every
 * day. A window whose end is not after its start ends on the next day. An empty text has no windows.
 * @throws TypeError with the problem
 */
export function quietHoursOf(text: string): QuietHours {
  const read = readQuietHours(text);
  if ('problem' in read) throw new TypeError(read.problem);
  return read;
}

/** Returns what is wrong with quiet hours, without the text itself; undefined if nothing is. */
export function quietHoursProblem(text: string): string | undefined {
  const read = readQuietHours(text);
  return 'problem' in read ? read.problem : undefined;
}

function readQuietHours(text: string): QuietHours | { readonly problem: string } {
  const quietHours: QuietWindow[] = [];
  for (const [index, each] of text.trim() === '' ? [] : text.split(/[,;]/).entries()) {
    const windows = readWindows(each.trim());
    if ('problem' in windows) return { problem: `window ${index + 1}: ${windows.problem}` };
    quietHours.push(...windows);
  }
  const isAlwaysQuiet = Array.from({ length: minutesOfWeek }, (_, minute) => minute).every(
    (minute) => minutesLeft(quietHours, minute) > 0,
  );
  return isAlwaysQuiet
    ? { problem: 'the windows cover the whole week, so no run would ever be completed' }
    : quietHours;
}

const example = 'such as Mon-Fri 08:00-18:00';

function readWindows(text: string): QuietHours | { readonly problem: string } {
  const [, days, start, end] = /^(?:(\S+)\s+)?(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)$/.exec(text) ?? [];
  if (start === undefined || end === undefined) return { problem: `is not days and two times, ${example}` };
  const startDays = days === undefined ? dayNames.map((_, day) => day) : readDays(days);
  if (startDays === undefined) return { problem: `has other days than ${dayNames.join(', ')}, or a range of them` };
  const [startMinute, endMinute] = [readTime(start), readTime(end)];
  if (startMinute === undefined || startMinute === minutesOfDay || endMinute === undefined)
    return { problem: `has a time that does not exist, ${example}` };
  if (startMinute === endMinute) return { problem: 'is empty. A whole day is 00:00-24:00' };
  const minutes = endMinute > startMinute ? endMinute - startMinute : endMinute + minutesOfDay - startMinute;
  return startDays.map((day) => {
    const begin = day * minutesOfDay + startMinute;
    return { startMinute: begin, endMinute: begin + minutes };
  });
}

/** Reads `Mon` or `Fri-Mon`. Returns days from 0, which is Monday. */
function readDays(text: string): readonly number[] | undefined {
  const [first = -1, last = first, ...others] = text
    .split('-')
    .map((name) => (dayNames as readonly string[]).indexOf(name));
  if (first < 0 || last < 0 || others.length > 0) return undefined;
  const count = ((last - first + 7) % 7) + 1;
  return Array.from({ length: count }, (_, index) => (first + index) % 7);
}

function readTime(text: string): number | undefined {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  const minute = hours * 60 + minutes;
  return minutes < 60 && minute <= minutesOfDay ? minute : undefined;
}

/** Returns for how many minutes a quiet window still lasts at this minute of the week; 0 outside of all windows. */
function minutesLeft(quietHours: QuietHours, minute: number): number {
  let left = 0;
  for (const { startMinute, endMinute } of quietHours)
    for (const at of [minute, minute + minutesOfWeek])
      if (at >= startMinute && at < endMinute) left = Math.max(left, endMinute - at);
  return left;
}

function minuteOfWeek(atMs: number): number {
  const [, day = '', hour, minute] = /^(\w{3})\D*(\d\d):(\d\d)/.exec(weekdayAndTime.format(atMs)) ?? [];
  return (dayNames as readonly string[]).indexOf(day) * minutesOfDay + Number(hour) * 60 + Number(minute);
}

/**
 * Returns when the quiet hours end that contain this moment, in epoch ms; undefined outside of them. Clocks in Germany decide:
 * it is quiet whenever they show a time within a window. So an hour that summer time skips is not waited for, and an hour that
 * comes twice is quiet twice.
 */
export function quietUntilMs(quietHours: QuietHours, atMs: number): number | undefined {
  for (let momentMs = atMs; ; ) {
    const left = minutesLeft(quietHours, minuteOfWeek(momentMs));
    if (left === 0) return momentMs === atMs ? undefined : momentMs;
    const endMs = Math.floor(momentMs / minuteMs) * minuteMs + left * minuteMs;
    const nextHourMs = (Math.floor(momentMs / hourMs) + 1) * hourMs; // the clocks may change then
    momentMs = Math.min(endMs, nextHourMs);
  }
}
