import type { Element } from 'fhir/r4.js';
import { extensions } from './uris.ts';

/** Longest text in a resource, in characters: twice what the contract allows. What the insurer sent stays whole in GET /patients. */
export const textMax = 1_000;

/** The characters that a FHIR string may not have (R4, datatypes, "string"), and the noncharacters of Unicode that XML excludes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Returns a value of the insurer as a FHIR string; undefined if it is no text, or only white space. */
export function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.toWellFormed().replace(forbidden, '\ufffd').trim();
  if (text === '') return undefined;
  return text.length <= textMax ? text : `${text.slice(0, textMax - 1).toWellFormed()}…`;
}

/**
 * Returns a value of the insurer as a FHIR date: `1985-03-07`, or a partial one, `1985-03` or `1985`. Insurers write an
 * unknown month or day as 00. Undefined if it is no date.
 */
export function dateOf(value: unknown): string | undefined {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(typeof value === 'string' ? value : '') ?? [];
  if (year === undefined || year === '0000') return undefined;
  if (month === undefined || (month === '00' && (day ?? '00') === '00')) return year;
  if (Number(month) < 1 || Number(month) > 12) return undefined;
  if (day === undefined || day === '00') return `${year}-${month}`;
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return date.getUTCDate() === Number(day) ? `${year}-${month}-${day}` : undefined; // NaN if there is no such day
}

/** Whether the insurer has sent something in a field. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

/** Stands for a value that the insurer has sent and that cannot be given in FHIR. */
export const unreadable: Element = { extension: [{ url: extensions.dataAbsentReason, valueCode: 'error' }] };

/** Returns the fields of a value that may be anything. A field of a list or a text does not count. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** Returns a period; undefined if neither end is a date. An end before the start is left out: FHIR forbids it (per-1). */
export function periodOf(startValue: unknown, endValue?: unknown): { start?: string; end?: string } | undefined {
  const [start, end] = [dateOf(startValue), dateOf(endValue)];
  const isInOrder = start === undefined || end === undefined || start <= end.padEnd(start.length, '-99');
  const period = { ...(start !== undefined && { start }), ...(end !== undefined && isInOrder && { end }) };
  return Object.keys(period).length === 0 ? undefined : period;
}
