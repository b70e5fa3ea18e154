import { z } from 'zod';
import { characters, namedProblems, pathText, problemText } from './contract-problem.ts';
import { isDecodable } from './document-content.ts';

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
  contentBase64: z.string().refine(isDecodable, { message: 'not base64' }),
});
const diagnosis = z.looseObject({ code: z.string(), text: z.string().optional() });

/** Returns a record's ID as its key holds it: escaped as in JSON, because DynamoDB cannot store every text. */
export const idInKey = (recordId: string): string => JSON.stringify(recordId).slice(1, -1);

/** Maximum size of an ID in its key: a sort key of DynamoDB has at most 1 024 bytes, of which `{careVersion}#` takes 26. */
const idInKeyBytesMax = 1_024 - 26;

/** What a record must have to be stored: its ID is part of the key. */
const identifiedRecord = z.looseObject({
  id: characters(1, Number.POSITIVE_INFINITY).refine((id) => Buffer.byteLength(idInKey(id)) <= idInKeyBytesMax, {
    message: 'too long',
  }),
});

/** The kinds of Versorgung that the contract knows. */
export const programmes = ['DMP', 'HZV', 'IV', 'other'] as const;
export type Programme = (typeof programmes)[number];

/** CareRecord of insurer-api.yaml. A record that breaks it is stored as it was sent, and flagged. */
const careRecord = z.looseObject({
  id: characters(1, 64),
  programme: z.enum(programmes),
  title: characters(0, 500),
  status: z.enum(['active', 'planned', 'onhold']),
  start: day,
  end: day.optional(),
  provider: z.looseObject({ bsnr: z.string().optional(), name: z.string().optional() }).optional(),
  diagnoses: elements.optional(),
  documents: elements.optional(),
});

/** What an answer must have to be stored. */
const careRecordsAnswer = z.looseObject({ kvnr: z.string(), careRecords: elements });

/** What is wrong with an answer, in fixed words and JSON paths only: `careRecords[3].start: not a date`. Never a value. */
export interface AnswerProblems {
  /** the answer cannot be stored */
  readonly hard?: string;
  /** the answer is stored as it was sent, and breaks the contract; only if there is no hard problem */
  readonly flags?: string;
}

/**
 * Compares an answer of the insurer with the contract (insurer-api.yaml, CareRecordsAnswer). Hard is only what storing needs:
 * the records are an array of objects with unique IDs. Names the first problems only. Does not check whose KVNR the answer
 * names: the caller does.
 * @param value a result of plain JSON.parse
 */
export function problemsOfCareRecords(value: unknown): AnswerProblems {
  const hard = firstProblems(hardProblems(value));
  if (hard !== undefined) return { hard };
  const flags = firstProblems(softProblems(value));
  return flags === undefined ? {} : { flags };
}

function firstProblems(all: Generator<string>): string | undefined {
  const problems = all.take(namedProblems + 1).toArray();
  if (problems.length === 0) return undefined;
  return problems.slice(0, namedProblems).join('; ') + (problems.length > namedProblems ? '; and more' : '');
}

function* hardProblems(value: unknown): Generator<string> {
  yield* problemsOf(careRecordsAnswer, value, []);
  const seen = new Set<string>();
  for (const [index, record] of elementsIn(value, 'careRecords')) {
    const path = ['careRecords', index];
    yield* problemsOf(identifiedRecord, record, path);
    const { id } = Object(record) as { id?: unknown };
    if (typeof id !== 'string') continue;
    if (seen.has(id)) yield `${pathText([...path, 'id'], 'answer')}: not unique`;
    seen.add(id);
  }
}

function* softProblems(value: unknown): Generator<string> {
  for (const [index, record] of elementsIn(value, 'careRecords')) {
    const path = ['careRecords', index];
    yield* problemsOf(careRecord, record, path);
    for (const [at, element] of elementsIn(record, 'diagnoses'))
      yield* problemsOf(diagnosis, element, [...path, 'diagnoses', at]);
    for (const [at, element] of elementsIn(record, 'documents'))
      yield* problemsOf(document, element, [...path, 'documents', at]);
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
