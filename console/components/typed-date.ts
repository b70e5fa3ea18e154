import { dateOf } from '../../core/domain/fhir/values.ts';

/** Characters of the longest form, with blanks after dots. */
export const typedDateMax = 12;

/**
 * Returns a typed birth date as YYYY-MM-DD, or a partial one as YYYY-MM or YYYY; undefined if it is no date. Both `7.3.1985` and
 * `1985-03-07` are read in every language. Slashes are not, as 03/07 is July to some, and March to others. An unknown month or
 * day may be 00.
 */
export function typedDateOf(text: string): string | undefined {
  const [, first, second, year] = /^(?:(\d\d?)\. ?)?(?:(\d\d?)\. ?)?(\d{4})$/.exec(text.trim()) ?? [];
  if (year === undefined) return dateOf(text.trim());
  const [day, month] = second === undefined ? [undefined, first] : [first, second];
  return dateOf([year, month, day].flatMap((part) => part?.padStart(2, '0') ?? []).join('-'));
}
