/** Formats numbers and times for one locale. Times are ISO 8601 strings. */
export interface Formats {
  count(value: number): string;
  percent(share: number): string;
  /** With at most one decimal place. */
  decimal(value: number): string;
  /** Time of day, with the date if it is not today. */
  moment(time: string, now?: Date): string;
  /** Time of day, with the date if several days are shown. */
  clock(epochSeconds: number, isWithDate?: boolean): string;
  dateTime(time: string): string;
  /** A calendar day such as `2026-11-24`. Any other text, such as `1950-02` or `1950-02-30`, stays as it is. */
  day(date: string): string;
  duration(seconds: number): string;
  bytes(sizeBytes: number): string;
  /** The separator that spreadsheets of this locale expect in CSV files. */
  readonly csvSeparator: ',' | ';';
}

export function createFormats(locale: string): Formats {
  const count = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
  const dayClock = new Intl.DateTimeFormat(locale, {
    day: '2-digit',
    month: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' });
  const unit = (name: string) =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: 0 });
  const hasDecimalComma = decimal.formatToParts(0.5).some(({ type, value }) => type === 'decimal' && value === ',');
  const hours = unit('hour');
  const minutes = unit('minute');
  const seconds = unit('second');
  const sizes = ['byte', 'kilobyte', 'megabyte', 'gigabyte'].map(
    (name) => new Intl.NumberFormat(locale, { style: 'unit', unit: name, maximumFractionDigits: 1 }),
  );
  return {
    count: (value) => count.format(value),
    decimal: (value) => decimal.format(value),
    percent: (share) => percent.format(share),
    moment: (time, now = new Date()) => {
      const date = new Date(time);
      return date.toDateString() === now.toDateString() ? clock.format(date) : dateTime.format(date);
    },
    clock: (epochSeconds, isWithDate = false) => (isWithDate ? dayClock : clock).format(epochSeconds * 1000),
    dateTime: (time) => dateTime.format(new Date(time)),
    day: (date) => (isCalendarDay(date) ? day.format(new Date(date)) : date),
    duration: (total) => {
      const whole = Math.max(0, Math.round(total));
      const units: [number, Intl.NumberFormat][] = [
        [Math.floor(whole / 3600), hours],
        [Math.floor(whole / 60) % 60, minutes],
        [whole % 60, seconds],
      ];
      const first = units.findIndex(([value]) => value > 0);
      if (first === -1) return seconds.format(0);
      return units
        .slice(first, first + 2)
        .filter(([value], at) => at === 0 || value > 0)
        .map(([value, format]) => format.format(value))
        .join(' ');
    },
    bytes: (sizeBytes) => {
      const step = sizeBytes < 1 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log10(sizeBytes) / 3));
      return (sizes[step] ?? count).format(sizeBytes / 1000 ** step);
    },
    csvSeparator: hasDecimalComma ? ';' : ',',
  };
}

/**
 * A day that the calendar does not have, such as `1950-02-30`, becomes another one in a Date. Years before 1000 are
 * placeholders, and Intl drops their zeros.
 */
function isCalendarDay(date: string): boolean {
  if (!/^[1-9]\d{3}-\d{2}-\d{2}$/.test(date)) return false;
  const time = new Date(date);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date);
}
