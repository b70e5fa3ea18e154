import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashedSearch, nameHashesOf } from '../crypto/name-hashes.ts';
import { hasLetters, isSearched, searchedPerson } from './name-search.ts';

const key = createSecretKey(Buffer.alloc(32, 7));
const birthDate = '1985-03-07';

/** Returns whether a search finds a person, and makes sure that the hashes say the same as the names. */
function finds(
  search: { readonly familyName?: string; readonly givenName?: string; readonly birthDate?: string },
  stored: { readonly familyName?: unknown; readonly givenName?: unknown; readonly birthDate?: string },
): boolean {
  const asked = { birthDate, ...search };
  const body = JSON.stringify({ birthDate, ...stored });
  const person = searchedPerson(body);
  const { birthHash, nameHashes } = nameHashesOf({ body, contentHash: 'hash' }, key);
  const hashed = hashedSearch(asked, key);
  const byHash = birthHash === hashed.birthHash && hashed.isFitting(nameHashes ?? '');
  const isFound = person !== undefined && isSearched(asked, person);
  expect(byHash).toBe(isFound);
  return isFound;
}

test.each([
  ['Müller', 'Mueller'],
  ['Müller', 'muller'],
  ['Mueller', 'MÜLLER'],
  ['Mu\u0308ller', 'Müller'],
  ['Weiß', 'WEISS'],
  ['Bauer', 'Bauer'],
  ['Großmann', 'Grossm'],
  ['Yıldız', 'YILDIZ'],
  ['İpek', 'ipek'],
  ['Łukasiewicz', 'lukas'],
  ['Sørensen', 'Soerensen'],
  ['O’Neill', "O'Neill"],
  ["D'Angelo", 'dangelo'],
  ['von der Heide', 'Heide'],
  ['Heide', 'Dr. von der Heide'],
  ['von der Heide', 'von der Hei'],
  ['De Luca', 'Deluca'],
  ['Müller-Lüdenscheidt', 'Lüdenscheidt'],
  ['Müller-Lüdenscheidt', 'mueller luedenscheidt'],
  ['Müller–Lüdenscheidt', 'Muellerluedens'],
  ['von der Heydt-Großmann', 'HEYDTGROSS'],
  ["D'Angelo Graf von Bödefeld-Schulze", 'Bodefeldschulze'],
  ["D'Angelo Graf von Bödefeld-Schulze", 'Schulze Dangelo'],
  ['Maria Anna-Lena Sophie', 'Annalena'],
  ['Maria Karlheinz', 'Maria Karl-Heinz'],
  ['Karlheinz', 'Dr. Karl-Heinz'],
  ['Eva-Elke', 'Evaelke'],
  ['Nguyễn', 'nguyen'],
  ['Von', 'Von'],
  ['Γεωργίου', 'γεωργιου'],
])('%s is found as %s', (familyName, asked) => {
  expect(finds({ familyName: asked }, { familyName })).toBe(true);
});

test.each([
  ['Müller', 'Möller'],
  ['Müller', 'Müllerin'],
  ['Schmidt', 'chmidt'],
  ['Heide', 'von Heidenreich'],
  ['Heydt-Großmann', 'Grossmannheydt'],
])('%s is not found as %s', (familyName, asked) => {
  expect(finds({ familyName: asked }, { familyName })).toBe(false);
});

test('all parts of a search must fit', () => {
  const anna = { familyName: 'Müller', givenName: 'Anna-Lena' };
  expect(finds({ familyName: 'mu', givenName: 'Annalena' }, anna)).toBe(true);
  expect(finds({ familyName: 'mu', givenName: 'Lena' }, anna)).toBe(true);
  expect(finds({ givenName: 'Lena' }, anna)).toBe(true);
  expect(finds({ familyName: 'Anna' }, anna)).toBe(false);
  expect(finds({ familyName: 'mu', birthDate: '1985-03-08' }, anna)).toBe(false);
});

test('a birth date that is known in part is found as such', () => {
  const stored = { familyName: 'Müller', birthDate: '1950-00-00' };
  expect(finds({ familyName: 'Mü', birthDate: '1950' }, stored)).toBe(true);
  expect(finds({ familyName: 'Mü', birthDate: '1950-05' }, stored)).toBe(false);
  expect(finds({ familyName: 'Mü', birthDate: '1950' }, { ...stored, birthDate: 'unknown' })).toBe(false);
});

test('odd entries are found by what they have', () => {
  expect(finds({ givenName: 'Anna' }, { familyName: 7, givenName: 'Anna' })).toBe(true);
  expect(finds({ familyName: '7' }, { familyName: 7, givenName: 'Anna' })).toBe(false);
});

const names = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."aeouäöüßmlr-' ıİøIs"), minLength: 1, maxLength: 30 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
);

/** Greek letters with an iota below have capitals of two letters, which nobody types. */
const inCapitals = (text: string): string =>
  text.replace(/\p{Script=Latin}/gu, (letter) => letter.toLocaleUpperCase('de'));

test('a beginning of a name finds it, in any case and Unicode form', () => {
  fc.assert(
    fc.property(names, fc.nat(), fc.constantFrom('NFC', 'NFD'), fc.boolean(), (familyName, cut, form, isUpper) => {
      const beginning = [...familyName].slice(0, (cut % familyName.length) + 1).join('');
      const typed = (isUpper ? inCapitals(beginning) : beginning).normalize(form);
      fc.pre(hasLetters(typed));
      expect(finds({ familyName: typed }, { familyName })).toBe(true);
    }),
  );
});

test('the hashes hold no name, and have nothing in common for people with different birth dates', () => {
  const hashesFor = (person: object) =>
    nameHashesOf({ body: JSON.stringify(person), contentHash: 'h' }, key).nameHashes;
  const anna = { familyName: 'Müller', givenName: 'Anna', birthDate };
  const prefix = hashesFor(anna)?.slice(0, 4) ?? '';
  expect(hashesFor({ ...anna, familyName: 'Meier' })?.slice(0, 4)).toBe(prefix);
  expect(hashesFor({ ...anna, birthDate: '1985-03-08' })?.slice(0, 4)).not.toBe(prefix);
  expect(hashesFor(anna)?.toLowerCase()).not.toContain('muller');
  expect(hashesFor(anna)).toHaveLength(6 * 4 + '/'.length + 4 * 4);
});
