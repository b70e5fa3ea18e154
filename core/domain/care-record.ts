import { z } from 'zod';
import { characters, pathText, problemText } from './contract-problem.ts';

/** Maximum number of problems that are named for one answer: enough to find the fault, few enough for a log line. */
const namedProblems = 5;

const day = z.iso.date();

/**
 * Elements are checked one by one, separately from their array, because zod collects all problems and there may be
 * millions.
 */
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
 * Describes how an answer of the insurer breaks the contract (insurer-api.yaml, CareRecordsAnswer), such as
 * `careRecords[3].start: not a date; kvnr: missing`. Uses fixed words and JSON paths only, never a value, so the text
 * may be logged and shown. Stops after the first problems. Does not check whose KVNR the answer names: the caller does.
 * @param value a result of plain JSON.parse
 * @returns undefined if the answer is valid
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
    if (seen.has(id)) yield `${pathText([...path, 'id'], 'answer')}: not unique`;
    seen.add(id);
  }
}

function* problemsOf(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): Generator<string> {
  const parsed = schema.safeParse(value, { reportInput: true });
  for (const issue of parsed.error?.issues ?? []) yield problemText(issue, [...path, ...issue.path], 'answer');
}

/** Returns the elements of a field. If the field is not an array, that problem has been reported already. */
function elementsIn(holder: unknown, key: 'careRecords' | 'diagnoses' | 'documents'): Iterable<[number, unknown]> {
  const held = (Object(holder) as Partial<Record<typeof key, unknown>>)[key];
  return Array.isArray(held) ? held.entries() : [];
}
