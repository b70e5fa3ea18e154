import { z } from 'zod';

/** A text without differences that two entries of one person may have: Unicode form, case and white space. */
const word = z
  .string()
  .transform((text) => text.normalize('NFC').toUpperCase().normalize('NFC').replace(/\s+/gu, ' ').trim())
  .pipe(z.string().min(1));

/** A part of an address, which may be a number: 12345 is `12345`. */
const part = z.preprocess((value) => (typeof value === 'number' ? String(value) : value), word);
/** Null and blank count as missing. */
const optionalPart = z.preprocess(
  (value) => (value === null || (typeof value === 'string' && value.trim() === '') ? undefined : value),
  part.optional(),
);

/** What tells a person from all others, without the KVNR. Not the gender, which insurers correct. */
const identity = z.object({
  familyName: word,
  givenName: word,
  birthDate: z.iso.date(),
  address: z.object({ street: part, postalCode: part, city: part, country: optionalPart }),
});

/**
 * Returns the name, birth date and address of a list entry as one text, which is equal for two entries of the same person.
 * Returns undefined if any of them is missing or known in part. "ß" and "SS" are equal, abbreviations ("Str.") are not.
 * @param body the entry as JSON text
 */
export function identityText(body: string): string | undefined {
  const { data } = identity.safeParse(JSON.parse(body));
  if (data === undefined) return undefined;
  const { familyName, givenName, birthDate, address } = data;
  const { street, postalCode, city, country = '' } = address;
  return JSON.stringify([familyName, givenName, birthDate, street, postalCode, city, country]);
}
