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

/** Elements are looked at one by one, apart from what holds them: zod gathers all problems, and there may be millions. */
const elements = z.array(z.unknown());

const document = z.looseObject({
  id: z.string(),
  title: z.string().optional(),
  mediaType: z.string(),
  contentBase64: z.string(),
});
const diagnosis = z.looseObject({ code: z.string(), text: z.string().optional() });

const careRecord = z.looseObject({
  id: characters(1, 64),
  programme: z.enum(['DMP', 'HZV', 'IV', 'other']),
  title: characters(0, 500),
  status: z.enum(['active', 'planned', 'onhold']),
  start: day,
  end: day.optional(),
  provider: z.looseObject({ bsnr: z.string().optional(), name: z.string().optional() }).optional(),
  diagnoses: elements.optional(),
  documents: elements.optional(),
});

const careRecordsAnswer = z.looseObject({
  kvnr: z.string().regex(/^[A-Z][0-9]{9}$/),
  careRecords: elements,
});

/**
 * What does not fit the contract in an answer of the insurer (insurer-api.yaml, CareRecordsAnswer), or undefined when it
 * fits: `careRecords[3].start: not a date; kvnr: missing`. Fixed words and JSON paths only, never a value, so that it may
 * be logged and shown. Whose KVNR it is, is for the caller to compare. Nothing is looked at beyond the first problems.
 * @param value as plain JSON.parse gives it
 */
export function careRecordsAnswerProblem(value: unknown): string | undefined {
  const problems = problemsOfAnswer(value)
    .take(namedProblems + 1)
    .toArray();
  if (problems.length === 0) return undefined;
  return problems.slice(0, namedProblems).join('; ') + (problems.length > namedProblems ? '; and more' : '');
}

function* problemsOfAnswer(value: unknown): Generator<string> {
  yield* problemsOf(careRecordsAnswer, value, []);
  const seen = new Set<string>();
  for (const [index, record] of elementsIn(value, 'careRecords')) {
    const path = ['careRecords', index];
    yield* problemsOf(careRecord, record, path);
    for (const [at, element] of elementsIn(record, 'diagnoses'))
      yield* problemsOf(diagnosis, element, [...path, 'diagnoses', at]);
    for (const [at, element] of elementsIn(record, 'documents'))
      yield* problemsOf(document, element, [...path, 'documents', at]);
    const { id } = Object(record) as { id?: unknown };
    if (typeof id !== 'string') continue;
    if (seen.has(id)) yield `${pathText([...path, 'id'])}: not unique`;
    seen.add(id);
  }
}

function* problemsOf(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): Generator<string> {
  const parsed = schema.safeParse(value, { reportInput: true });
  for (const issue of parsed.error?.issues ?? []) yield `${pathText([...path, ...issue.path])}: ${wordsFor(issue)}`;
}

/** What is no array has been told by then. */
function elementsIn(holder: unknown, key: 'careRecords' | 'diagnoses' | 'documents'): Iterable<[number, unknown]> {
  const held = (Object(holder) as Partial<Record<typeof key, unknown>>)[key];
  return Array.isArray(held) ? held.entries() : [];
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
