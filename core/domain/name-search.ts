import { dateOf, fieldsOf } from './fhir/values.ts';

/** Most words of a name that are searched. The insurer's limit of a name is 200 characters. */
const wordsMax = 8;
/** Letters that NFKD leaves as they are. */
const letters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'a',
  œ: 'o',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};
/** What people leave out, or say although the insurer does not have it. */
const affixes: ReadonlySet<string> = new Set(
  ['dr', 'prof', 'med', 'dent', 'dipl', 'ing', 'freiherr', 'freifrau', 'graf', 'grafin'].concat(
    ['von', 'vom', 'van', 'zu', 'zum', 'zur', 'und', 'der', 'den', 'dem', 'ter', 'ten'],
    ['de', 'del', 'della', 'di', 'da', 'do', 'dos', 'du', 'la', 'le', 'el', 'al', 'bin', 'ben'],
  ),
);

/** What parts the words of a name. A hyphen may part them. */
const blanks = /[\s/,]+/u;
const blanksAndHyphens = /[\s\p{Pd}/,]+/u;

/** Returns the words of a name without case, diacritics, apostrophes and dots. */
function plainWords(name: string, separator: RegExp): string[] {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[ßæœøłđðþı]/g, (letter) => letters[letter] ?? letter)
    .split(separator)
    .map((word) => word.replace(/[^\p{L}\p{N}]|\p{Lm}/gu, ''))
    .filter((word) => word !== '')
    .slice(0, wordsMax);
}

/**
 * `ae`, `oe` and `ue` become one letter everywhere: Müller, Mueller and MULLER are `muller`, and Bauer is `baur`. What a
 * beginning of a name folds to is a beginning of what the whole name folds to. Takes words joined before, as the letters of two
 * words can be such a pair.
 */
const foldUmlauts = (word: string): string => word.replace(/([aou])e/g, '$1');

/** Returns whether somebody can be found by a name: it has a letter or a digit. */
export const hasLetters = (name: string): boolean => plainWords(name, blanksAndHyphens).length > 0;

/**
 * Returns the words by which a stored name is found: each one, joined with all that follow. Its beginnings are those of the word
 * itself, and of what people join: Anna-Lena as Annalena, and Heydt-Großmann of von der Heydt-Großmann as Heydtgross.
 */
export function searchWords(name: string): string[] {
  const words = plainWords(name, blanksAndHyphens);
  return words.map((_, index) => foldUmlauts(words.slice(index).join('')));
}

/**
 * Returns the words that must be the beginnings of words of a stored name: all of one of the lists. A hyphen may part words or
 * not, and so may a blank. Affixes count only if there is nothing else.
 */
export function askedWords(name: string): string[][] {
  const withoutAffixes = (words: readonly string[]): string[] => {
    const folded = words.map(foldUmlauts);
    const own = folded.filter((word) => !affixes.has(word));
    return own.length > 0 ? own : folded;
  };
  const words = plainWords(name, blanksAndHyphens);
  if (words.length < 2) return [words.map(foldUmlauts)];
  return [withoutAffixes(words), withoutAffixes(plainWords(name, blanks)), [foldUmlauts(words.join(''))]];
}

/** Returns whether a stored name fits: each word of one list begins a word of it. Takes words, or their hashes in the same order. */
export const isNamed = (asked: readonly (readonly string[])[], stored: readonly string[]): boolean =>
  asked.some((words) => words.every((word) => stored.some((each) => each.startsWith(word))));

/** What identifies a person in a search. */
export interface SearchedPerson {
  readonly familyName: string;
  readonly givenName: string;
  /** YYYY-MM-DD; YYYY-MM or YYYY if the insurer knows no more */
  readonly birthDate: string;
}

const nameOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * Returns the searched fields of a list entry; undefined if it has no readable birth date. Insurers write an unknown month or
 * day as 00.
 * @param body the entry as JSON text
 */
export function searchedPerson(body: string): SearchedPerson | undefined {
  const { familyName, givenName, birthDate: sent } = fieldsOf(JSON.parse(body));
  const birthDate = dateOf(sent);
  if (birthDate === undefined) return undefined;
  return { familyName: nameOf(familyName), givenName: nameOf(givenName), birthDate };
}

/** What somebody searches for: the birth date, and the beginning of one name or of both. */
export interface PersonSearch {
  readonly familyName?: string | undefined;
  readonly givenName?: string | undefined;
  /** as in SearchedPerson */
  readonly birthDate: string;
}

/** Returns whether a person is one of those searched for. */
export const isSearched = (search: PersonSearch, found: SearchedPerson): boolean =>
  search.birthDate === found.birthDate &&
  (['familyName', 'givenName'] as const).every(
    (field) => search[field] === undefined || isNamed(askedWords(search[field]), searchWords(found[field])),
  );
