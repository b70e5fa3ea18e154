import { kvnrOf } from './kvnr-numbers.ts';
import { between, pick, type Random, seededRandom } from './random.ts';
import { cities, familyNames, givenNames, oddNames, streets, unknownMembers } from './texts.ts';

const quote = (text: string): string => JSON.stringify(text); // escapes lone surrogates, as \ud800

const date = (random: Random, firstYear: number, lastYear: number): string => {
  const month = String(between(random, 1, 12)).padStart(2, '0');
  return `${between(random, firstYear, lastYear)}-${month}-${String(between(random, 1, 28)).padStart(2, '0')}`;
};

/**
 * One entry of the list as JSON text, as the insurer writes it; it fits the contract.
 * @param version how often the insurer changed it; a negative one is the differing duplicate's
 */
export function patientEntry(seed: number, kvnr: string, index: number, version: number): string {
  const random = seededRandom(seed, index);
  const name = (names: readonly [string, ...string[]]): string => pick(random, random() < 0.12 ? oddNames : names);
  const members = [
    `"kvnr":"${kvnr}"`,
    `"familyName":${quote(name(familyNames))}`,
    `"givenName":${quote(name(givenNames))}`,
    `"birthDate":"${date(random, 1920, 2025)}"`,
    `"gender":"${pick(random, ['male', 'female', 'male', 'female', 'other', 'unknown'])}"`,
  ];
  if (version !== 0 || random() < 0.9)
    members.push(address(version === 0 ? random : seededRandom(seed, index, version), version));
  if (random() < 0.8) members.push(`"insuredSince":"${date(random, 1990, 2026)}"`);
  if (random() < 0.5)
    members.push(`"bonus":{"points":${between(random, 0, 900)},"level":"${pick(random, ['Silber', 'Gold'])}"}`);
  if (random() < 0.3) members.push(unknownMembers[index % unknownMembers.length] ?? '');
  if (random() < 0.1) members.unshift(`"recordNumber":${between(random, 1, 99)}${'0'.repeat(20)}1`);
  const text = `{${members.join(',')}}`;
  return random() < 0.05 ? escaped(text) : text;
}

function address(random: Random, version: number): string {
  const lines = [
    `"street":${quote(`${pick(random, streets)} ${between(random, 1, 250)}${version === 0 ? '' : ` / ${version}`}`)}`,
  ];
  if (random() < 0.95) lines.push(`"postalCode":"${String(between(random, 1000, 99_999)).padStart(5, '0')}"`);
  if (random() < 0.95) lines.push(`"city":${quote(pick(random, cities))}`);
  if (random() < 0.7) lines.push('"country":"DE"');
  return `"address":{${lines.join(',')}}`;
}

/** The same JSON in ASCII alone: parsers must see no difference. */
const escaped = (json: string): string =>
  json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** How an entry can break the contract; each has a KVNR, where it has one, that no patient of the world has. */
const malformations: readonly [string, (kvnr: string) => string][] = [
  ['bad-check-digit', (kvnr) => valid(kvnr.slice(0, 9) + ((Number(kvnr[9]) + 1) % 10))],
  ['lower-case-kvnr', (kvnr) => valid(kvnr.toLowerCase())],
  ['missing-kvnr', () => '{"familyName":"Ohne","givenName":"Nummer","birthDate":"1980-01-01","gender":"other"}'],
  ['missing-family-name', (kvnr) => `{"kvnr":"${kvnr}","givenName":"Halb","birthDate":"1980-01-01","gender":"male"}`],
  ['missing-gender', (kvnr) => `{"kvnr":"${kvnr}","familyName":"A","givenName":"B","birthDate":"1980-01-01"}`],
  [
    'name-is-number',
    (kvnr) => `{"kvnr":"${kvnr}","familyName":42,"givenName":"B","birthDate":"1980-01-01","gender":"male"}`,
  ],
  [
    'kvnr-is-number',
    () => '{"kvnr":1234567890,"familyName":"A","givenName":"B","birthDate":"1980-01-01","gender":"male"}',
  ],
  [
    'empty-name',
    (kvnr) => `{"kvnr":"${kvnr}","familyName":"","givenName":"B","birthDate":"1980-01-01","gender":"male"}`,
  ],
  ['long-name', (kvnr) => valid(kvnr, { familyName: 'ä'.repeat(201) })],
  ['bad-date', (kvnr) => valid(kvnr, { birthDate: '01.02.1980' })],
  ['impossible-date', (kvnr) => valid(kvnr, { birthDate: '2023-02-30' })],
  ['bad-gender', (kvnr) => valid(kvnr, { gender: 'männlich' })],
  ['address-is-text', (kvnr) => valid(kvnr, { address: 'Hauptstraße 1' })],
  ['null', () => 'null'],
  ['text', () => '"Müller, Anna"'],
  ['number', () => '12345678901234567890'],
  ['list', (kvnr) => `[${valid(kvnr)}]`],
  ['empty-object', () => '{}'],
];

export const malformationKinds = malformations.length;
const strangersFrom = 1_000_000_000; // indices no patient ever gets

export interface MalformedEntry {
  kind: string;
  text: string;
}

export function malformedEntry(kvnrOffset: number, number: number): MalformedEntry {
  const [kind, make] = malformations[number % malformations.length] ?? ['null', () => 'null'];
  return { kind, text: make(kvnrOf(strangersFrom + number, kvnrOffset)) };
}

/** An entry of someone the world knows, broken: its KVNR can still be read. */
export const spoiledEntry = (kvnr: string): string => valid(kvnr, { birthDate: '2023-02-30' });

const valid = (kvnr: string, over: Record<string, unknown> = {}): string =>
  JSON.stringify({
    kvnr,
    familyName: 'Fehler',
    givenName: 'Eintrag',
    birthDate: '1980-01-01',
    gender: 'female',
    ...over,
  });
