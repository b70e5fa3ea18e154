/** Longest cooldown in ms. An operator who wants the line to rest for longer pauses it. */
export const retryAfterMsMax = 24 * 60 * 60 * 1000;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
const imfFixdate = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${time} GMT$`);
const rfc850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${time} GMT$`);
const asctime = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${time} (\\d{4})$`);

/** `5`; also `2.5` and, if two headers were joined, `5, 7`. The latter two are outside the standard, but unambiguous. */
const seconds = /^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/;

/** The moment from which an HTTP date is counted. */
export interface AnswerTime {
  /** the answer's `Date` header, which comes from the same clock as `Retry-After` */
  readonly date?: string | undefined;
  /** our own wall clock when the answer arrived; used if `Date` is missing or unreadable */
  readonly nowEpochMs: number;
}

/**
 * Returns the length of the cooldown that `Retry-After` asks for, in ms from the answer; undefined if it is absent, zero or
 * in the past. Reads seconds and HTTP dates (RFC 9110, 10.2.3 and 5.6.7, with both obsolete forms of the date). Of several
 * numbers, the largest counts, rounded up. The maximum is retryAfterMsMax. `Date` has no fractions of a second, so a date
 * may give up to a second too much.
 * @param unreadableMs length of the cooldown if the text is neither
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
    // RFC 9110: a two-digit year more than 50 years in the future belongs to the past century
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
