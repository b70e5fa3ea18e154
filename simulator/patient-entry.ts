import { kvnrOf } from './kvnr-numbers.ts';
import { between, pick, type Random, seededRandom } from './random.ts';
import { cities, familyNames, givenNames, oddNames, streets, unknownMembers } from './texts.ts';

type Pool = readonly [string, ...string[]];
/**
 * Encodes texts as JSON once, because a list has a million entries. JSON.stringify escapes lone surrogates (\ud800).
 */
const quoted = (pool: Pool): Pool => pool.map((text) => JSON.stringify(text)) as unknown as Pool;
const [quotedFamilyNames, quotedGivenNames, quotedOddNames] = [
  quoted(familyNames),
  quoted(givenNames),
  quoted(oddNames),
];
const quotedCities = quoted(cities);
const streetsInQuotes = streets.map((street) => JSON.stringify(street).slice(1, -1)) as unknown as Pool;
const twoDigits = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'));

const date = (random: Random, firstYear: number, lastYear: number): string =>
  `${between(random, firstYear, lastYear)}-${twoDigits[between(random, 1, 12)]}-${twoDigits[between(random, 1, 28)]}`;

/**
 * Returns one entry of the list as JSON text. It matches the contract, except that one of 40 has odd master data.
 * @param version how often the insurer has changed it; a negative number is that of a differing duplicate
 */
export function patientEntry(seed: number, kvnr: string, index: number, version: number): string {
  const random = seededRandom(seed, index);
  // plain concatenation for speed: this runs a million times for a list, and two million times for a truncated list
  let text = '{';
  if (random() < 0.1) text += `"recordNumber":${between(random, 1, 99)}000000000000000000001,`;
  text += `"kvnr":"${kvnr}","familyName":${name(random, quotedFamilyNames)},"givenName":${name(random, quotedGivenNames)}`;
  const birthDate = date(random, 1920, 2025);
  const gender = pick(random, genders);
  text += index % oddEvery === oddAt ? odd(index, birthDate) : `,"birthDate":"${birthDate}","gender":"${gender}"`;
  if (random() < 0.8) text += `,"insuredSince":"${date(random, 1990, 2026)}"`;
  if (random() < 0.6) text += `,"bonus":{"points":${between(random, 0, 900)},"level":"Silber","since":2019.50}`;
  if (random() < 0.3) text += `,${unknownMembers[index % unknownMembers.length]}`;
  const isEscaped = random() < 0.05;
  if (version !== 0) text += `,"address":${address(seededRandom(seed, index, version), version)}`;
  else if (random() < 0.9) text += `,"address":${address(random, 0)}`;
  return isEscaped ? escaped(`${text}}`) : `${text}}`;
}

/** One of 40 patients has data that the contract does not know, as real insurers send it. */
const [oddEvery, oddAt] = [40, 17];
const oddities: readonly ((birthDate: string) => string)[] = [
  (birthDate) => `,"birthDate":"${birthDate}","gender":"X"`,
  (birthDate) => `,"birthDate":"${birthDate.slice(0, 4)}-00-00","gender":"female"`,
  (birthDate) => `,"birthDate":"${birthDate}","gender":null`,
  () => ',"birthDate":null,"gender":"male"',
  (birthDate) => `,"birthDate":"${birthDate}"`,
];
const odd = (index: number, birthDate: string): string =>
  oddities[Math.floor(index / oddEvery) % oddities.length]?.(birthDate) ?? '';

const genders: Pool = ['male', 'female', 'male', 'female', 'male', 'female', 'other', 'unknown'];
const name = (random: Random, names: Pool): string => pick(random, random() < 0.12 ? quotedOddNames : names);

function address(random: Random, version: number): string {
  let text = `{"street":"${pick(random, streetsInQuotes)} ${between(random, 1, 250)}`;
  text += version === 0 ? '"' : ` / ${version}"`;
  if (random() < 0.95) text += `,"postalCode":"${between(random, 10_000, 99_999)}"`;
  if (random() < 0.95) text += `,"city":${pick(random, quotedCities)}`;
  return random() < 0.7 ? `${text},"country":"DE"}` : `${text}}`;
}

/** Returns the same JSON in ASCII only. Parsers must not see a difference. */
const escaped = (json: string): string =>
  json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Ways in which an entry cannot be stored. No patient of the world has their KVNRs. */
const malformations: readonly [string, (kvnr: string) => string][] = [
  ['bad-check-digit', (kvnr) => valid(kvnr.slice(0, 9) + ((Number(kvnr[9]) + 1) % 10))],
  ['missing-kvnr', () => '{"familyName":"Ohne","givenName":"Nummer","birthDate":"1980-01-01","gender":"other"}'],
  [
    'kvnr-is-number',
    () => '{"kvnr":1234567890,"familyName":"A","givenName":"B","birthDate":"1980-01-01","gender":"male"}',
  ],
  ['nested-too-deeply', tooDeep],
  ['null', () => 'null'],
  ['text', () => '"Müller, Anna"'],
  ['number', () => '12345678901234567890'],
  ['list', (kvnr) => `[${valid(kvnr)}]`],
  ['empty-object', () => '{}'],
];

export const malformationKinds = malformations.length;
const firstUnusedIndex = 1_000_000_000; // no patient has an index from here on

export interface MalformedEntry {
  kind: string;
  text: string;
}

export function malformedEntry(kvnrOffset: number, number: number): MalformedEntry {
  const [kind, make] = malformations[number % malformations.length] ?? ['null', () => 'null'];
  return { kind, text: make(kvnrOf(firstUnusedIndex + number, kvnrOffset)) };
}

/** Returns a malformed entry of a known patient. Its KVNR is readable. */
export const malformedEntryFor = tooDeep;

/** An entry nested deeper than any reader takes. */
function tooDeep(kvnr: string): string {
  return `{"kvnr":"${kvnr}","deep":${'['.repeat(100)}${']'.repeat(100)}}`;
}

const valid = (kvnr: string, over: Record<string, unknown> = {}): string =>
  JSON.stringify({
    kvnr,
    familyName: 'Fehler',
    givenName: 'Eintrag',
    birthDate: '1980-01-01',
    gender: 'female',
    ...over,
  });
