import { z } from 'zod';
import type { JsonArrayElement, JsonArrayLimits } from '../json/array-splitter.ts';
import { parseLossless, printLossless } from '../json/lossless.ts';
import { contentHash } from './content-hash.ts';
import { characters, namedProblems, problemText } from './contract-problem.ts';
import { isKvnr, type Kvnr, normalKvnr } from './kvnr.ts';

/** Limits for an entry of the list. A real entry has 300 bytes and a depth of 2. */
export const entryLimits: JsonArrayLimits = { elementBytes: 1 << 20, depth: 64 };

const name = characters(1, 200);

/** What an entry must have to be stored: without it, nobody knows whose entry it is. */
const identity = z.looseObject({
  kvnr: z
    .string()
    .transform(normalKvnr)
    .pipe(
      z
        .string()
        .regex(/^[A-Z][0-9]{9}$/, { abort: true })
        .refine(isKvnr, { message: 'check digit' }),
    ),
});

/**
 * Patient of insurer-api.yaml without the KVNR. An entry that breaks it is stored as it was sent, and flagged: other people
 * must not wait for a word that we do not know (docs/reference/insurer-answers.md).
 */
const masterData = z.looseObject({
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

export interface ReadableEntry {
  readonly kind: 'readable';
  /** as we write it; the body has it as the insurer wrote it */
  readonly kvnr: Kvnr;
  /** the entry as compact JSON text: every field that the insurer sent, numbers as written */
  readonly body: string;
  readonly contentHash: string;
  /** what breaks the contract, in fixed words and JSON paths only: `birthDate: not a date`; absent if nothing does */
  readonly flags?: string;
}

export interface QuarantinedEntry {
  readonly kind: 'quarantined';
  /**
   * fixed words and JSON paths only, never a value or a name that the insurer chose: `kvnr: check digit; birthDate:
   * missing`
   */
  readonly reason: string;
  /** everybody whom the entry may be about, the likeliest first. They may be insured and must not count as gone */
  readonly kvnrs: readonly Kvnr[];
  /** the entry has a KVNR in a field `kvnr`. Otherwise it may be about anybody: its KVNRs may be those of relatives */
  readonly isIdentified: boolean;
}

/**
 * Reads one entry of the list. Never throws. Quarantines only what cannot be stored: an entry that is no JSON object, that is
 * too large, or that has no valid KVNR. Anything else is kept and flagged.
 */
export function readEntry({
  text,
  fault,
  fits,
}: Pick<JsonArrayElement, 'text' | 'fault' | 'fits'>): ReadableEntry | QuarantinedEntry {
  if (fault !== undefined)
    return quarantined(fits === undefined ? faultWords[fault] : `entry: not UTF-8 (${fits} fits)`, kvnrsSeenIn(text));
  let entry: unknown;
  try {
    entry = parseLossless(text);
  } catch {
    return quarantined('entry: not JSON', kvnrsSeenIn(text));
  }
  const identified = identity.safeParse(entry, { reportInput: true });
  if (!identified.success) {
    const { kvnrs } = kvnrsSeenIn(printLossless(entry)); // printed, because the text may escape letters
    return quarantined(problemsText(identified.error) ?? '', { kvnrs, isIdentified: false });
  }
  const { kvnr } = identified.data;
  const flags = problemsText(masterData.safeParse(entry, { reportInput: true }).error);
  return {
    kind: 'readable',
    kvnr: kvnr as Kvnr,
    body: printLossless(entry),
    contentHash: contentHash(entry),
    ...(flags !== undefined && { flags }),
  };
}

/** Names the first problems with their paths; undefined if there are none. */
function problemsText(error: z.ZodError | undefined): string | undefined {
  if (error === undefined) return undefined;
  const problems = error.issues.map((issue) => problemText(issue, issue.path, 'entry'));
  const more = problems.length - namedProblems;
  return problems.slice(0, namedProblems).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

const faultWords = {
  'too-large': 'entry: too large',
  'too-deep': 'entry: nested too deeply',
  encoding: 'entry: not text in its charset',
} as const;

type People = Pick<QuarantinedEntry, 'kvnrs' | 'isIdentified'>;

const quarantined = (reason: string, people: People): QuarantinedEntry => ({ kind: 'quarantined', reason, ...people });

/** Where a KVNR may be in a text that is nearly JSON, the likeliest first. Quotes may be escaped, in JSON within JSON. */
const kvnrPlaces = {
  field: /\bkvnr\\?["']?\s{0,20}:\s{0,20}\\?["']([^"'\\]{10,50})(?=\\?["'])/g,
  others: [/["']([^"'\\]{10,50})(?=\\?["'])/g, /\b([a-z][0-9]{9})\b/gi],
};

/**
 * Guesses the people of an entry that cannot be stored: all KVNRs in fields `kvnr`, then those in any text. A wrong guess keeps a
 * patient who is gone; it deletes nobody.
 */
function kvnrsSeenIn(text: string): People {
  const seenAt = (place: RegExp): Kvnr[] =>
    Array.from(text.matchAll(place), ([, seen = '']) => normalKvnr(seen)).filter(isKvnr);
  const inFields = seenAt(kvnrPlaces.field);
  const kvnrs = [...new Set([inFields, ...kvnrPlaces.others.map(seenAt)].flat())];
  return { kvnrs, isIdentified: inFields.length > 0 };
}
