import { createHash } from 'node:crypto';
import type { FhirResource } from 'fhir/r4.js';
import { World } from '../../../simulator/world.ts';
import { sha1Of } from '../document-file.ts';
import { isKvnr } from '../kvnr.ts';
import { readEntry } from '../patient-entry.ts';
import { splitAnswer } from '../split-answer.ts';
import { documentsOf, episodeResource } from './care-record.ts';
import { coverageResource, type FhirPatient, patientResource } from './patient.ts';

const baseUrl = 'https://api.example/v1/fhir';
const insurer = { id: 'demo', iknr: '109500969' };

/** One person as the insurer sends them. */
export interface Person {
  readonly kvnr: string;
  /** the entry of the list as JSON text; absent of a provisional patient */
  readonly entry?: string | undefined;
  /** the answer with care records as JSON text */
  readonly answer?: string | undefined;
}

/** Returns everybody on the simulator's first list. One of 40 has odd data, and one of 8 a name that breaks imports. */
export const simulatedPeople = (patients: number): Person[] =>
  [...new World({ seed: 7, patients }).patients()].map(({ kvnr, entries: [entry], careRecords }) => ({
    kvnr,
    entry,
    answer: careRecords ?? undefined,
  }));

/** Values of wrong types and forms, which the tolerant reader stores (ADR 0050). */
const oddValues: readonly unknown[] = [
  ...[null, '', ' ', 7, true, [], {}, ['a'], { a: 1 }, 'D', 'w', '\u0000', '\ud800', '\u2028', 'x'.repeat(3_000)],
  ...['1985', '1985-02', '1985-02-30', '1985-13-01', '0000-00-00', '1985-00-07', '07.03.1985', '2029-01-01T00:00:00Z'],
];
const oddMediaTypes = ['application/pdf', 'pdf', 'text/plain; charset=utf-8', 'text/ plain', 'image/jpeg;', '🗎/x'];

/** Returns people of whom each field of each kind is odd once, and one about whom nothing is known. */
export function oddPeople(): Person[] {
  const kvnr = 'A123456780';
  const personOf = (value: unknown, at: number): Person => {
    const document = (fields: object) => ({ id: 'd', mediaType: 'text/plain', contentBase64: 'QUJD', ...fields });
    const record = (id: string, fields: object) => ({
      ...{ id, programme: 'DMP', title: 'Titel', status: 'active', start: '2020-01-01', end: '2019-01-01' },
      ...fields,
    });
    return {
      kvnr,
      entry: JSON.stringify({
        ...{ kvnr, familyName: value, givenName: value, birthDate: value, gender: value, insuredSince: value },
        address: at % 2 === 0 ? value : { street: value, postalCode: value, city: value, country: value },
      }),
      answer: JSON.stringify({
        kvnr,
        careRecords: [
          record('all', { programme: value, title: value, status: value, start: value, end: value }),
          record('held', { provider: value, diagnoses: value, documents: value }),
          record('within', {
            provider: { bsnr: value, name: value },
            diagnoses: [value, { code: value }, { text: value }, { code: value, text: value }],
            documents: [
              value,
              document({ id: value, title: value, mediaType: value }),
              document({ contentBase64: value }),
            ],
          }),
          record('\ud800#ü/ ', { documents: oddMediaTypes.map((mediaType) => document({ mediaType })) }),
          record(' ', { title: ' ', programme: 'DMP ' }),
        ],
      }),
    };
  };
  return [...oddValues.map(personOf), { kvnr }, { kvnr, answer: JSON.stringify({ kvnr, careRecords: [{ id: '1' }] }) }];
}

/** Returns all resources of a person. */
export function resourcesOf({ kvnr, entry, answer }: Person): FhirResource[] {
  if (!isKvnr(kvnr)) throw new Error('a person without a KVNR');
  const read = entry === undefined ? undefined : readEntry({ text: entry });
  if (read?.kind === 'quarantined') throw new Error(read.reason);
  const patientRef = createHash('sha256').update(kvnr).digest('hex').slice(0, 32);
  const patient: FhirPatient = {
    ...{ patientRef, kvnr, revision: 3, standing: read ? 'listed' : 'provisional' },
    ...(read && { body: read.body }),
  };
  const receivedAt = '2026-11-25T11:00:00.123Z';
  const records = answer === undefined ? [] : splitAnswer(answer).records;
  return [
    patientResource(patient),
    coverageResource(patient, insurer) ?? [],
    records.map(({ recordId, body, documents }) => {
      const record = { patientRef, careVersion: '000000000000017-000000042', receivedAt, recordId, body };
      const contents = new Map(
        documents.map(({ index, file }) => [
          index,
          file ? { sizeBytes: file.bytes.length, sha1: sha1Of(file.bytes) } : {},
        ]),
      );
      const found = documentsOf(record, baseUrl, (index) => contents.get(index));
      return [episodeResource(record), ...found.map(({ resource }) => resource)];
    }),
  ].flat(2);
}

export const populationBaseUrl = baseUrl;
