import { z } from 'zod';

/** Maximum number of problems that are named for one answer or entry: enough to mend it, few enough for a log line. */
export const namedProblems = 20;

/**
 * Returns the schema of a text in the insurer's contract. JSON Schema counts characters, but JavaScript counts UTF-16
 * units.
 */
export const characters = (min: number, max: number) =>
  z
    .string()
    .refine((text) => text.length >= min, { message: 'empty' })
    .refine((text) => text.length <= max || [...text].length <= max, { message: 'too long' });

/**
 * Describes one problem with a JSON path and fixed words, never a value: `careRecords[3].start: not a date`.
 * @param path holds keys of the schema and positions only, so no name that the insurer chose can appear
 * @param whole name of the value at the start of the path
 */
export const problemText = (issue: z.core.$ZodIssue, path: readonly PropertyKey[], whole: string): string =>
  `${pathText(path, whole)}: ${wordsFor(issue)}`;

export function pathText(path: readonly PropertyKey[], whole: string): string {
  if (path.length === 0) return whole;
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function wordsFor(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'missing' : `not of type ${issue.expected}`;
    case 'invalid_value':
      return issue.input === undefined ? 'missing' : 'not one of the allowed';
    case 'invalid_format':
      return issue.format === 'date' ? 'not a date' : 'wrong form';
    case 'custom':
      return issue.message;
    default:
      return 'not allowed';
  }
}
