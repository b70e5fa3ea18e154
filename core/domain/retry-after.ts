/** An insurer that asks for more is heard so far: a longer hold is a person's decision, who has the pause for it. */
export const retryAfterMsMax = 24 * 60 * 60 * 1000;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
const imfFixdate = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${time} GMT$`);
const rfc850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${time} GMT$`);
const asctime = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${time} (\\d{4})$`);

/** `5`; also `2.5` and, where two headers were joined, `5, 7`: not of the standard, and what they ask for is clear. */
const seconds = /^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/;

/** What an HTTP date is counted from. */
export interface AnswerTime {
  /** the answer's `Date`: a moment on the clock that `Retry-After` was read from */
  readonly date?: string | undefined;
  /** our own wall clock when the answer came: for an answer without a readable `Date` */
  readonly nowEpochMs: number;
}

/**
 * How long `Retry-After` holds the line from the answer on, ms; undefined when it holds nothing: absent, in the past, zero.
 * Seconds or an HTTP date (RFC 9110, 10.2.3 and 5.6.7, with both obsolete forms of the date); of several numbers the
 * largest, rounded up. More than 24 hours become 24 hours: see retryAfterMsMax. `Date` has no fractions of a second, so
 * that a date holds up to a second longer than it had to.
 * @param unreadableMs how long a text holds that is neither
 */
export function retryAfterMs(
  header: string | undefined,
  { date, nowEpochMs }: AnswerTime,
  unreadableMs = 0,
): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  if (seconds.test(text)) return cappedMs(Math.ceil(Math.max(...text.split(',').map(Number))) * 1000);
  const untilEpochMs = httpDateEpochMs(text, nowEpochMs);
  if (untilEpochMs === undefined) return cappedMs(unreadableMs);
  return cappedMs(untilEpochMs - (httpDateEpochMs(date?.trim() ?? '', nowEpochMs) ?? nowEpochMs));
}

const cappedMs = (ms: number): number | undefined => (ms > 0 ? Math.min(ms, retryAfterMsMax) : undefined);

function httpDateEpochMs(text: string, nowEpochMs: number): number | undefined {
  const fixed = imfFixdate.exec(text);
  if (fixed) return epochMs(fixed[3], fixed[2], fixed[1], fixed.slice(4, 7));
  const old = rfc850.exec(text);
  if (old) {
    const century = Math.floor(new Date(nowEpochMs).getUTCFullYear() / 100) * 100;
    const year = century + Number(old[3]);
    // RFC 9110: a two-digit year more than 50 years ahead is that of the past century
    return epochMs(
      year > new Date(nowEpochMs).getUTCFullYear() + 50 ? year - 100 : year,
      old[2],
      old[1],
      old.slice(4, 7),
    );
  }
  const unix = asctime.exec(text);
  return unix ? epochMs(unix[6], unix[1], unix[2], unix.slice(3, 6)) : undefined;
}

function epochMs(
  year: string | number | undefined,
  monthName: string | undefined,
  day: string | undefined,
  clock: readonly string[],
): number | undefined {
  const month = months.indexOf(monthName ?? '');
  const [hours = 0, minutes = 0, seconds = 0] = clock.map(Number);
  const midnight = Date.UTC(Number(year), month, Number(day));
  const isRealDay = month >= 0 && new Date(midnight).getUTCDate() === Number(day);
  if (!isRealDay || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000;
}
