import { expect, test } from 'vitest';
import { identityText } from './identity.ts';

const anna = {
  kvnr: 'A123456780',
  familyName: 'Müller',
  givenName: 'Anna Maria',
  birthDate: '1980-02-29',
  gender: 'female',
  address: { street: 'Große Straße 1', postalCode: '04109', city: 'Leipzig' },
};
const of = (entry: object): string | undefined => identityText(JSON.stringify({ ...anna, ...entry }));
const at = (address: object): string | undefined => of({ address: { ...anna.address, ...address } });

test.each([
  ['another KVNR and another gender', { kvnr: 'X110434370', gender: 'unknown', bonus: 1.5 }],
  ['decomposed umlauts', { familyName: 'Mu\u0308ller' }],
  ['other case', { familyName: 'MÜLLER', givenName: 'anna maria' }],
  ['other white space', { givenName: ' Anna\u00a0 Maria ' }],
  ['null for the country', { address: { ...anna.address, country: null } }],
  ['a blank country', { address: { ...anna.address, country: ' \u00a0' } }],
  ['SS for ß', { address: { ...anna.address, street: 'GROSSE STRASSE 1' } }],
])('%s makes no difference', (_, entry) => {
  expect(of(entry)).toBe(of({}));
  expect(of({})).toBeDefined();
});

test('a number in the address counts like its text', () => {
  expect(at({ postalCode: 14109, street: 7 })).toBe(at({ postalCode: '14109', street: '7' }));
  expect(at({ postalCode: 14109 })).toBeDefined();
});

test('the form of an identity stays, because hashes of it are stored', () => {
  expect(of({})).toBe('["MÜLLER","ANNA MARIA","1980-02-29","GROSSE STRASSE 1","04109","LEIPZIG",""]');
  expect(at({ country: 'de' })).toBe('["MÜLLER","ANNA MARIA","1980-02-29","GROSSE STRASSE 1","04109","LEIPZIG","DE"]');
});

test.each([
  ['name', of({ givenName: 'Anne Maria' })],
  ['birth date', of({ birthDate: '1980-02-28' })],
  ['street', at({ street: 'Große Str. 1' })],
  ['postal code', at({ postalCode: '04107' })],
  ['country', at({ country: 'AT' })],
  ['swapped names', of({ familyName: anna.givenName, givenName: anna.familyName })],
])('another %s is another person', (_, other) => {
  expect(other).toBeDefined();
  expect(other).not.toBe(of({}));
});

test.each([
  ['no family name', of({ familyName: undefined })],
  ['a blank given name', of({ givenName: '  ' })],
  ['a birth date that is known in part', of({ birthDate: '1980-00-00' })],
  ['no birth date', of({ birthDate: null })],
  ['no address', of({ address: undefined })],
  ['no city', at({ city: undefined })],
  ['no postal code', at({ postalCode: null })],
  ['an object for a postal code', at({ postalCode: {} })],
  ['an object for a country', at({ country: {} })],
])('%s is nobody to be found again', (_, text) => {
  expect(text).toBeUndefined();
});
