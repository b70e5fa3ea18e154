/** Maximum length of a reason, in characters. Longer reasons are rejected. */
export const reasonMax = 500;
const operatorMax = 200;

/**
 * Returns what is wrong with a command to pause or resume the line, in words for the operator; undefined if it is valid.
 * Name and reason are required, because people read the history of the line months later.
 */
export function lineCommandProblem({
  operator,
  reason,
  until,
}: {
  readonly operator: string;
  readonly reason: string;
  readonly until?: string;
}): string | undefined {
  if (typeof operator !== 'string' || operator.trim() === '') return 'the name of the operator is missing';
  if (operator.length > operatorMax) return `the operator's name is longer than ${operatorMax} characters`;
  if (typeof reason !== 'string' || reason.trim() === '') return 'a reason is required';
  if (reason.length > reasonMax) return `the reason is longer than ${reasonMax} characters`;
  if (/\p{Cc}/u.test(operator + reason)) return 'the name and the reason must be one line without control characters';
  if (until !== undefined && momentOf(until) === undefined) return `the end of the pause ${noMoment}`;
  return undefined;
}

/** Longest timed pause, in days. A longer one needs no end: somebody has to think of it again. */
export const pauseDaysMax = 30;
const noMoment = 'is not a moment in ISO 8601 with an offset, such as 2026-12-01T18:00:00+01:00';

/** Returns what is wrong with the end of a timed pause, as the rest of a sentence; undefined if it is valid. */
export function pauseEndProblem(until: string, nowMs: number): string | undefined {
  const moment = momentOf(until);
  if (moment === undefined) return noMoment;
  const leftMs = Date.parse(moment) - nowMs;
  if (leftMs <= 0) return 'is in the past';
  if (leftMs > pauseDaysMax * 86_400_000) return `is more than ${pauseDaysMax} days ahead`;
  return undefined;
}

/**
 * Reads a moment in ISO 8601 with `Z` or an offset. Returns it in UTC with milliseconds, so that the order of two texts is
 * the order of the moments. Returns undefined for any other text, also for a day that does not exist.
 */
export function momentOf(text: string): string | undefined {
  const [, day = ''] = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const [moment, midnight] = [new Date(text), new Date(`${day}T00:00:00Z`)];
  const isReal = !Number.isNaN(moment.getTime()) && midnight.toJSON()?.startsWith(day);
  return isReal ? moment.toISOString() : undefined;
}
