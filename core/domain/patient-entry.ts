import { z } from 'zod';
import type { JsonArrayElement, JsonArrayLimits } from '../json/array-splitter.ts';
import { parseLossless, printLossless } from '../json/lossless.ts';
import { contentHash } from './content-hash.ts';
import { characters, problemText } from './contract-problem.ts';
import { isKvnr, type Kvnr } from './kvnr.ts';

/** Limits for an entry of the list. A real entry has 300 bytes and a depth of 2. */
export const entryLimits: JsonArrayLimits = { elementBytes: 1 << 20, depth: 64 };

/** Maximum number of problems that are named for one entry. */
const namedProblems = 5;

/** Maximum length of a KVNR with blanks around it. */
const kvnrTextMax = 50;

const name = characters(1, 200);

/** Patient of insurer-api.yaml. Only validates: the insurer's text is stored unchanged. */
const patient = z.looseObject({
  kvnr: z
    .string()
    .regex(/^[A-Z][0-9]{9}$/, { abort: true })
    .refine(isKvnr, { message: 'check digit' }),
  familyName: name,
  givenName: name,
  birthDate: z.iso.date(),
  gender: z.enum(['male', 'female', 'other', 'unknown']),
  address: z
    .looseObject({
      street: z.string().optional(),
      postalCode: z.string().optional(),
      city: z.string().optional(),
      country: z.string().optional(),
    })
    .optional(),
  insuredSince: z.iso.date().optional(),
});

export interface ValidEntry {
  readonly kind: 'valid';
  readonly kvnr: Kvnr;
  /** the entry as compact JSON text: every field that the insurer sent, numbers as written */
  readonly body: string;
  readonly contentHash: string;
}

export interface QuarantinedEntry {
  readonly kind: 'quarantined';
  /**
   * fixed words and JSON paths only, never a value or a name that the insurer chose: `kvnr: check digit; birthDate:
   * missing`
   */
  readonly reason: string;
  /** the person of the entry, if known. That person is insured and must not count as gone */
  readonly kvnr?: Kvnr;
}

/** Validates one entry of the list. Never throws. */
export function readEntry({ text, fault }: Pick<JsonArrayElement, 'text' | 'fault'>): ValidEntry | QuarantinedEntry {
  if (fault !== undefined) return quarantined(faultWords[fault], kvnrSeenIn(text));
  let entry: unknown;
  try {
    entry = parseLossless(text);
  } catch {
    return quarantined('entry: not JSON', kvnrSeenIn(text));
  }
  const validated = patient.safeParse(entry, { reportInput: true });
  if (validated.success)
    return {
      kind: 'valid',
      kvnr: validated.data.kvnr as Kvnr,
      body: printLossless(entry),
      contentHash: contentHash(entry),
    };
  const problems = validated.error.issues.map((issue) => problemText(issue, issue.path, 'entry'));
  const more = problems.length - namedProblems;
  const reason = problems.slice(0, namedProblems).join('; ') + (more > 0 ? `; and ${more} more` : '');
  return quarantined(reason, kvnrOf(entry));
}

const faultWords = {
  'too-large': 'entry: too large',
  'too-deep': 'entry: nested too deeply',
  encoding: 'entry: not UTF-8',
} as const;

const quarantined = (reason: string, kvnr: Kvnr | undefined): QuarantinedEntry => ({
  kind: 'quarantined',
  reason,
  ...(kvnr !== undefined && { kvnr }),
});

const kvnrOf = (entry: unknown): Kvnr | undefined => {
  const kvnr = typeof entry === 'object' && entry !== null && 'kvnr' in entry ? entry.kvnr : undefined;
  return typeof kvnr === 'string' ? kvnrMeantBy(kvnr) : undefined;
};

/**
 * Returns the KVNR of a text, ignoring case and surrounding blanks. That is enough to know who is insured, but not to
 * store the person.
 */
const kvnrMeantBy = (text: string): Kvnr | undefined => {
  const kvnr = text.length <= kvnrTextMax ? text.trim().toUpperCase() : undefined;
  return isKvnr(kvnr) ? kvnr : undefined;
};

/**
 * Guesses the person of an entry that cannot be parsed: the first KVNR in a field `kvnr`. A wrong guess keeps a patient
 * who is gone; it deletes nobody.
 */
function kvnrSeenIn(text: string): Kvnr | undefined {
  for (const [, seen = ''] of text.matchAll(/"kvnr"\s{0,20}:\s{0,20}"([^"\\]{10,50})"/g)) {
    const kvnr = kvnrMeantBy(seen);
    if (kvnr !== undefined) return kvnr;
  }
  return undefined;
}
