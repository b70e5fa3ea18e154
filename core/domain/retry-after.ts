/** An insurer that asks for more is heard so far: a longer hold is a person's decision, who has the pause for it. */
export const retryAfterMsMax = 24 * 60 * 60 * 1000;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
const imfFixdate = new RegExp(`^[A-Z][a-z]{2}, (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${time} GMT$`);
const rfc850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${time} GMT$`);
const asctime = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${time} (\\d{4})$`);

/** `5`; also `2.5` and, where two headers were joined, `5, 7`: not of the standard, and what they ask for is clear. */
const seconds = /^\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*$/;

/**
 * Until when `Retry-After` holds the line, as epoch ms; undefined when it holds nothing: absent, in the past, zero.
 * Seconds or an HTTP date (RFC 9110, 10.2.3 and 5.6.7, with both obsolete forms of the date); of several numbers the
 * largest, rounded up. A moment more than 24 hours away becomes 24 hours: see retryAfterMsMax. Dates are held against our
 * own clock.
 * @param unreadableMs how long a text holds that is neither
 */
export function retryAfterUntil(header: string | undefined, nowEpochMs: number, unreadableMs = 0): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  const untilMs = seconds.test(text)
    ? nowEpochMs + Math.ceil(Math.max(...text.split(',').map(Number))) * 1000
    : (httpDateEpochMs(text, nowEpochMs) ?? nowEpochMs + unreadableMs);
  if (untilMs <= nowEpochMs) return undefined;
  return Math.min(untilMs, nowEpochMs + retryAfterMsMax);
}

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
