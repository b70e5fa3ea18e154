/** Longest cooldown in ms. An operator who wants the line to rest for longer pauses it. */
export const retryAfterMsMax = 24 * 60 * 60 * 1000;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
const imfFixdate = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${time} GMT$`);
const rfc850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${time} GMT$`);
const asctime = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${time} (\\d{4})$`);

/** `5`; also `2.5` and, if two headers were joined, `5, 7`. The latter two are outside the standard, but unambiguous. */
const numbers = /^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/;
/** From here on, a number is the moment itself, in seconds since 1970. As a wait, it would be 31 years. */
const epochSecondsMin = 1e9;
/** From here on, it is in milliseconds. */
const epochMillisecondsMin = 1e12;

/** The moment from which an HTTP date is counted. */
export interface AnswerTime {
  /** the answer's `Date` header, which comes from the same clock as `Retry-After` */
  readonly date?: string | undefined;
  /** our own wall clock when the answer arrived; used if `Date` is missing or unreadable */
  readonly nowEpochMs: number;
}

/**
 * Returns the length of the cooldown that `Retry-After` asks for, in ms from the answer. Returns 0 for a moment in the past,
 * and undefined if the text is absent or unreadable. Reads seconds and HTTP dates (RFC 9110, 10.2.3 and 5.6.7, with both
 * obsolete forms of the date). Also reads seconds or milliseconds since 1970. Of several numbers, the largest counts, rounded
 * up. The maximum is retryAfterMsMax. `Date` has no fractions of a second, so a moment may give up to a second too much.
 */
export function retryAfterMs(header: string | undefined, { date, nowEpochMs }: AnswerTime): number | undefined {
  const text = header?.trim() ?? '';
  const number = numbers.test(text) ? Math.ceil(Math.max(...text.split(',').map(Number))) : undefined;
  if (number !== undefined && number < epochSecondsMin) return cappedMs(number * 1000);
  const numberEpochMs = number === undefined || number >= epochMillisecondsMin ? number : number * 1000;
  const untilEpochMs = numberEpochMs ?? httpDateEpochMs(text, nowEpochMs);
  if (untilEpochMs === undefined) return undefined;
  return cappedMs(untilEpochMs - (httpDateEpochMs(date?.trim() ?? '', nowEpochMs) ?? nowEpochMs));
}

const cappedMs = (ms: number): number => Math.min(Math.max(ms, 0), retryAfterMsMax);

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
