import { z } from 'zod';

/** A text of the insurer's contract. JSON Schema counts characters, JavaScript UTF-16 units. */
export const characters = (min: number, max: number) =>
  z
    .string()
    .refine((text) => text.length >= min, { message: 'empty' })
    .refine((text) => text.length <= max || [...text].length <= max, { message: 'too long' });

/**
 * What does not fit the contract, in fixed words and a JSON path, never a value: `careRecords[3].start: not a date`.
 * @param path holds the schema's own keys and positions only: a name that the insurer made up never appears
 * @param whole what the value is called that the path begins at
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
