import { describe, expect, test } from 'vitest';
import type { Kvnr } from '../kvnr.ts';
import { documentsOf, episodeResource, type FhirCareRecord } from './care-record.ts';
import { coverageResource, type FhirPatient, patientResource } from './patient.ts';
import { oddPeople, resourcesOf } from './population.fixture.ts';
import { dateOf, periodOf, textMax, textOf } from './values.ts';

const patientRef = 'ab'.repeat(16);
const patientOf = (entry?: object): FhirPatient => ({
  ...{ patientRef, kvnr: 'A123456780' as Kvnr, revision: 7, standing: entry ? 'listed' : 'provisional' },
  ...(entry && { body: JSON.stringify(entry) }),
});
const recordOf = (record: object, careVersion = '1'): FhirCareRecord => ({
  ...{ patientRef, careVersion, receivedAt: '2026-11-25T11:00:00.123Z', recordId: 'r1' },
  body: JSON.stringify(record),
});
const baseUrl = 'https://api.example/v1/fhir';
const documentsIn = (record: object, careVersion?: string) =>
  documentsOf(recordOf(record, careVersion), baseUrl, () => ({}));

describe('a value of the insurer', () => {
  test.each<readonly [unknown, string | undefined]>([
    ['1985-03-07', '1985-03-07'],
    ['1985-03-00', '1985-03'],
    ['1985-00-00', '1985'],
    ['1985', '1985'],
    ...[
      '1985-02-30',
      '1985-13-01',
      '1985-00-07',
      '0000-00-00',
      '07.03.1985',
      '1985-03-07T00:00:00Z',
      '',
      null,
      1985,
    ].map((value) => [value, undefined] as const),
  ])('%j is the date %j', (value, date) => {
    expect(dateOf(value)).toBe(date);
  });

  test('is a text without the characters that FHIR forbids, and not longer than a reader expects', () => {
    expect(textOf(' a\u0000b\ud800\uffff ')).toBe('a\ufffdb\ufffd\ufffd');
    expect(textOf('two\nlines')).toBe('two\nlines');
    for (const value of ['', ' \n', 7, null, {}, ['a']]) expect(textOf(value)).toBeUndefined();
    const long = textOf('👪'.repeat(textMax)) ?? '';
    expect(long).toHaveLength(textMax);
    expect(long.isWellFormed()).toBe(true);
    expect(long.endsWith('…')).toBe(true);
  });

  test('is no end of a period that lies before its start', () => {
    expect(periodOf('2020-05-01', '2020-04-30')).toEqual({ start: '2020-05-01' });
    expect(periodOf('2020-05-01', '2020-00-00')).toEqual({ start: '2020-05-01', end: '2020' });
    expect(periodOf(null, 'x')).toBeUndefined();
  });
});

describe('a Patient', () => {
  test('has the KVNR with its German type, and what the insurer has sent', () => {
    const entry = {
      ...{ familyName: 'Größling', givenName: 'Anna Maria', birthDate: '1985-03-00', gender: 'female' },
      address: { street: 'Hauptstraße 1', postalCode: '12345', city: 'Köln', country: 'DE', floor: 3 },
    };
    expect(patientResource(patientOf(entry))).toEqual({
      ...{ resourceType: 'Patient', id: patientRef, meta: { versionId: '7' } },
      identifier: [
        {
          use: 'official',
          type: { coding: [{ system: 'http://fhir.de/CodeSystem/identifier-type-de-basis', code: 'KVZ10' }] },
          system: 'http://fhir.de/sid/gkv/kvid-10',
          value: 'A123456780',
        },
      ],
      name: [{ use: 'official', family: 'Größling', given: ['Anna Maria'] }],
      ...{ gender: 'female', birthDate: '1985-03' },
      address: [{ type: 'both', line: ['Hauptstraße 1'], city: 'Köln', postalCode: '12345', country: 'DE' }],
    });
  });

  test.each([
    ['other', 'D'],
    ['D', 'D'],
    ['X', 'X'],
  ])('of the gender %s has the official German code %s', (gender, code) => {
    const { gender: given, _gender } = patientResource(patientOf({ gender }));
    expect(given).toBe('other');
    expect(_gender?.extension?.[0]).toMatchObject({
      url: 'http://fhir.de/StructureDefinition/gender-amtlich-de',
      valueCoding: { system: 'http://fhir.de/CodeSystem/gender-amtlich-de', code },
    });
  });

  test('has no gender and no date that FHIR does not know', () => {
    const odd = patientResource(
      patientOf({ gender: 'toString', birthDate: 'yesterday', familyName: ' ', address: [] }),
    );
    expect(odd).not.toHaveProperty('gender');
    expect(odd).not.toHaveProperty('birthDate');
    expect(odd._birthDate?.extension?.[0]?.valueCode).toBe('error');
    expect(Object.keys(patientResource(patientOf()))).toEqual(['resourceType', 'id', 'meta', 'identifier']);
  });
});

test('a listed patient is insured, and of a provisional one nobody knows', () => {
  const insured = coverageResource(patientOf({ insuredSince: '2001-01-01' }), { id: 'kk', iknr: '109500969' });
  expect(insured).toMatchObject({
    status: 'active',
    period: { start: '2001-01-01' },
    payor: [{ reference: '#insurer' }],
  });
  expect(insured?.contained).toEqual([
    {
      ...{ resourceType: 'Organization', id: 'insurer' },
      identifier: [
        { system: 'http://fhir.de/sid/arge-ik/iknr', value: '109500969' },
        { system: 'urn:epa-sync:insurer-id', value: 'kk' },
      ],
    },
  ]);
  expect(coverageResource(patientOf(), { id: 'kk' })).toBeUndefined();
});

test('a Versorgung is an EpisodeOfCare with its kind, practice and diagnoses', () => {
  const episode = episodeResource(
    recordOf({
      ...{ programme: 'DMP', title: 'Diabetes', status: 'onhold', start: '2020-01-01' },
      provider: { bsnr: '123456789', name: 'Praxis' },
      diagnoses: [{ code: 'E11.9', text: 'Diabetes' }, 7, { text: 'nur Text' }],
    }),
  );
  expect(episode).toMatchObject({
    status: 'onhold',
    type: [{ coding: [{ system: 'urn:epa-sync:programme', code: 'DMP' }], text: 'Diabetes' }],
    diagnosis: [{ condition: { reference: '#diagnosis-0' } }, { condition: { reference: '#diagnosis-2' } }],
    managingOrganization: { reference: '#provider' },
    period: { start: '2020-01-01' },
    meta: { versionId: '1', lastUpdated: '2026-11-25T11:00:00.123Z' },
  });
  expect(episode.contained?.map(({ id }) => id)).toEqual(['diagnosis-0', 'diagnosis-2', 'provider']);
  const { status, _status } = episodeResource(recordOf({ status: 'beendet' }));
  expect({ status, sent: _status?.extension?.[0]?.valueString }).toEqual({ status: 'active', sent: 'beendet' });
});

test('a document keeps its ID in each version of the care records, and no two documents share one', () => {
  const documents = [{ id: 'a' }, { id: 'b' }, { id: 'b' }, {}, { id: 7 }];
  const before = documentsIn({ documents }, '1').map(({ id }) => id);
  const after = documentsIn({ documents: documents.toReversed() }, '2').map(({ id }) => id);
  expect(new Set(before).size).toBe(5);
  expect(new Set(after)).toEqual(new Set(before));
  for (const id of before) expect(id).toMatch(/^[A-Za-z0-9.-]{1,64}$/);
});

test('a document without a stored content has no address, and an odd media type is left out', () => {
  const record = recordOf({
    documents: [
      { id: 'a', mediaType: 'application/pdf' },
      { id: 'b', mediaType: 'pdf' },
    ],
  });
  const [first, second] = documentsOf(record, baseUrl, (index) =>
    index === 0 ? { sizeBytes: 3, sha1: 'PAG85m3uvVpS5MBZvLYdN6L9sP8=' } : undefined,
  );
  expect(first?.resource.content[0]?.attachment).toEqual({
    contentType: 'application/pdf',
    url: `${baseUrl}/Binary/${first?.id}`,
    size: 3,
    hash: 'PAG85m3uvVpS5MBZvLYdN6L9sP8=',
  });
  expect(second?.resource.content[0]?.attachment).toEqual({ _url: { extension: [expect.any(Object)] } });
});

test('no value of any type keeps a person from being given', () => {
  for (const person of oddPeople()) {
    const texts = resourcesOf(person).map((resource) => JSON.stringify(resource));
    for (const text of texts) expect(text).not.toMatch(/:(null|\[\]|\{\}|"")[,}]/); // FHIR allows none of these
  }
});
