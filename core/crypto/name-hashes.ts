import { createHmac, type KeyObject } from 'node:crypto';
import { askedWords, isNamed, type PersonSearch, searchedPerson, searchWords } from '../domain/name-search.ts';

/** Changes with the way names are folded or hashed. The next run then writes the hashes of all patients again. */
export const nameHashFormat = 2;
/** A longer word is searched by its first letters. */
const lettersMax = 10;
/** Base64 characters of the hash of one beginning: 24 bits. Readers compare the names themselves, too. */
const hashLength = 4;

/** How a patient is found by name and birth date. Holds neither. */
export interface NameHashes {
  /** of the birth date, as 32 hex digits; absent if the birth date is not readable. The key of the index */
  readonly birthHash?: string;
  /** of the beginnings of the names (ADR 0076); absent like `birthHash` */
  readonly nameHashes?: string;
  /** the entry that the hashes are of, and their format */
  readonly hashesOf: string;
}

/** Returns what NameHashes.hashesOf is, if the hashes are those of this entry. */
export const hashesOf = (contentHash: string): string => `${nameHashFormat}:${contentHash}`;

const hmac = (key: Buffer | KeyObject, text: string) => createHmac('sha256', key).update(text, 'utf8');
const birthHashOf = (birthDate: string, key: Buffer | KeyObject): string =>
  hmac(key, `epa-sync: born ${birthDate}`).digest('hex').slice(0, 32);

/**
 * Returns a function that hashes a word so that the hash of its beginning is the beginning of its hash: one short hash for each
 * beginning. The birth date is in all of them, so equal names of people with different birth dates have nothing in common.
 */
function hashing(field: 'family' | 'given', birthDate: string, key: Buffer | KeyObject): (word: string) => string {
  return (word) => {
    const characters = [...word].slice(0, lettersMax);
    return characters
      .map((_, index) => {
        const beginning = characters.slice(0, index + 1).join('');
        return hmac(key, `epa-sync: ${field} ${birthDate} ${beginning}`).digest('base64url').slice(0, hashLength);
      })
      .join('');
  };
}

/**
 * Returns by what a list entry is found (ADR 0076).
 * @param pseudonymKey pass a KeyObject for many calls
 */
export function nameHashesOf(
  { body, contentHash }: { readonly body: string; readonly contentHash: string },
  pseudonymKey: Buffer | KeyObject,
): NameHashes {
  const person = searchedPerson(body);
  if (person === undefined) return { hashesOf: hashesOf(contentHash) };
  const { familyName, givenName, birthDate } = person;
  const family = searchWords(familyName).map(hashing('family', birthDate, pseudonymKey));
  const given = searchWords(givenName).map(hashing('given', birthDate, pseudonymKey));
  return {
    birthHash: birthHashOf(birthDate, pseudonymKey),
    nameHashes: `${family.join(' ')}/${given.join(' ')}`,
    hashesOf: hashesOf(contentHash),
  };
}

/** A search as hashes: the key of the index, and which of its items fit. */
export interface HashedSearch {
  readonly birthHash: string;
  isFitting(nameHashes: string): boolean;
}

/** Returns a search as hashes. A fitting item is somebody else with a chance of one in millions: compare the names as well. */
export function hashedSearch(
  { familyName, givenName, birthDate }: PersonSearch,
  pseudonymKey: Buffer | KeyObject,
): HashedSearch {
  const asked = (field: 'family' | 'given', name: string | undefined) =>
    name === undefined
      ? undefined
      : askedWords(name).map((words) => words.map(hashing(field, birthDate, pseudonymKey)));
  const wanted = [asked('family', familyName), asked('given', givenName)];
  return {
    birthHash: birthHashOf(birthDate, pseudonymKey),
    isFitting: (nameHashes) =>
      nameHashes.split('/').every((words, index) => {
        const names = wanted[index];
        return names === undefined || isNamed(names, words.split(' '));
      }),
  };
}
