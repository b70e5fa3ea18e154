import { z } from 'zod';

/** At most so many problems of one answer are named: enough to find the fault, little enough for a log line. */
const namedProblems = 5;

/** JSON Schema counts characters, JavaScript UTF-16 units. */
const characters = (min: number, max: number) =>
  z
    .string()
    .refine((text) => text.length >= min, { message: 'empty' })
    .refine((text) => text.length <= max || [...text].length <= max, { message: 'too long' });

const day = z.iso.date();

const document = z.looseObject({
  id: z.string(),
  title: z.string().optional(),
  mediaType: z.string(),
  contentBase64: z.string(),
});

const careRecord = z.looseObject({
  id: characters(1, 64),
  programme: z.enum(['DMP', 'HZV', 'IV', 'other']),
  title: characters(0, 500),
  status: z.enum(['active', 'planned', 'onhold']),
  start: day,
  end: day.optional(),
  provider: z.looseObject({ bsnr: z.string().optional(), name: z.string().optional() }).optional(),
  diagnoses: z.array(z.looseObject({ code: z.string(), text: z.string().optional() })).optional(),
  documents: z.array(document).optional(),
});

const careRecordsAnswer = z.looseObject({
  kvnr: z.string().regex(/^[A-Z][0-9]{9}$/),
  careRecords: z.array(careRecord).superRefine((records, context) => {
    const seen = new Set<string>();
    for (const [index, { id }] of records.entries()) {
      if (seen.has(id)) context.addIssue({ code: 'custom', path: [index, 'id'], message: 'not unique' });
      seen.add(id);
    }
  }),
});

/**
 * What does not fit the contract in an answer of the insurer (insurer-api.yaml, CareRecordsAnswer), or undefined when it
 * fits: `careRecords[3].start: not a date; kvnr: missing`. Fixed words and JSON paths only, never a value, so that it may
 * be logged and shown. Whose KVNR it is, is for the caller to compare.
 * @param value as plain JSON.parse gives it
 */
export function careRecordsAnswerProblem(value: unknown): string | undefined {
  const parsed = careRecordsAnswer.safeParse(value, { reportInput: true });
  if (parsed.success) return undefined;
  const problems = parsed.error.issues.map((issue) => `${pathText(issue.path)}: ${wordsFor(issue)}`);
  const more = problems.length - namedProblems;
  return problems.slice(0, namedProblems).join('; ') + (more > 0 ? `; and ${more} more` : '');
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

/** All keys in it are the schema's own or positions: a name that the insurer made up never appears. */
function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'answer';
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
