import { expect, test } from 'vitest';
import { problemsOfCareRecords } from '../domain/care-record.ts';
import { splitAnswer } from '../domain/split-answer.ts';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';

const stores = openEmulatedStores();
const { careRecords } = stores;
/** An answer with more than one batch of items, and some documents. */
const records = Array.from({ length: 40 }, (_, index) =>
  index < 3 ? { id: `r${index}`, documents: [{ contentBase64: `QQ${index}` }] } : { id: `r${index}` },
);
const answer = splitAnswer(JSON.stringify({ kvnr: 'A123456780', careRecords: records }));

test.each(['never sent', 'answer lost'] as const)(
  'a version that is half written or half deleted (%s) reads as missing, never as a part',
  async (kind) => {
    const seen = new Set<number | undefined>();
    for (const half of ['written', 'deleted'] as const) {
      let crashed = true;
      for (let call = 1; crashed; call += 1) {
        const patientRef = newPatientRef();
        if (half === 'deleted') await careRecords.stage(patientRef, '1', answer);
        stores.crashAt(call, kind);
        const work =
          half === 'written' ? careRecords.stage(patientRef, '1', answer) : careRecords.deleteVersion(patientRef, '1');
        crashed = await work.then(
          () => false,
          () => true,
        );
        stores.recover();
        const page = await careRecords.readPage(patientRef, '1', 0, { records: 100, bytes: 5_000_000 });
        expect((await careRecords.read(patientRef, '1'))?.total).toBe(page?.total);
        seen.add(page?.records.length);
      }
    }
    expect(seen).toEqual(new Set([undefined, records.length]));
  },
);

test('a version is deleted with its objects, and no other version is', async () => {
  const patientRef = newPatientRef();
  for (const version of ['1', '2', '3']) await careRecords.stage(patientRef, version, answer);
  await careRecords.deleteVersion(patientRef, '3');
  expect(await careRecords.read(patientRef, '3')).toBeUndefined();
  await careRecords.deleteOlderThan(patientRef, '2');
  expect(await careRecords.read(patientRef, '1')).toBeUndefined();
  expect((await careRecords.read(patientRef, '2'))?.total).toBe(40);
  const keys = await stores.keysUnder(`documents/${patientRef}/`);
  expect(new Set(keys.map((key) => key.split('/')[2]))).toEqual(new Set(['2']));
});

test('a record that does not fit into an item together with its list of documents is read with all of them', async () => {
  const patientRef = newPatientRef();
  const documents = Array.from({ length: 60 }, (_, index) => ({ contentBase64: `QQ${index}` }));
  const answer = { kvnr: '', careRecords: [{ id: 'r', text: 'x'.repeat(295_000), documents }] };
  await careRecords.stage(patientRef, '1', splitAnswer(JSON.stringify(answer)));
  const [record] = (await careRecords.read(patientRef, '1'))?.records ?? [];
  if (record === undefined) throw new Error('no record');
  expect((await careRecords.readDocuments(record)).map(({ sent }) => ({ contentBase64: sent }))).toEqual(documents);
});

test.each([
  ['ASCII', 'x'.repeat(998)],
  ['emojis', '😀'.repeat(249)],
  ['escapes', '\0'.repeat(166)],
])('a record with the longest ID of %s is stored and read', async (_of, id) => {
  const [patientRef, careVersion] = [newPatientRef(), '001764000000000-000000001'];
  const value = { kvnr: '', careRecords: [{ id }] };
  expect(problemsOfCareRecords(value).hard).toBeUndefined();
  await careRecords.stage(patientRef, careVersion, splitAnswer(JSON.stringify(value)));
  expect((await careRecords.read(patientRef, careVersion))?.records.map(({ recordId }) => recordId)).toEqual([id]);
});

test('a version that loses an object during a read is reported as missing', async () => {
  const patientRef = newPatientRef();
  const answer = { kvnr: '', careRecords: [{ id: 'r', text: 'x'.repeat(400_000) }] };
  await careRecords.stage(patientRef, '1', splitAnswer(JSON.stringify(answer)));
  await stores.documents.deleteVersion(patientRef, '1');
  expect(await careRecords.read(patientRef, '1')).toBeUndefined();
});

test('a page of thousands of small records is one query, so that it takes no time for each of them', async () => {
  const patientRef = newPatientRef();
  const careRecordsSent = Array.from({ length: 3_000 }, (_, index) => ({ id: `r${index}`, title: 'DMP' }));
  await careRecords.stage(patientRef, '1', splitAnswer(JSON.stringify({ kvnr: '', careRecords: careRecordsSent })));
  stores.crashAt(2, 'never sent');
  const page = await careRecords.readPage(patientRef, '1', 1_990, { records: 1_000, bytes: 5_000_000 });
  stores.recover();
  expect(page?.total).toBe(3_000);
  expect(page?.records.map(({ recordId }) => recordId)).toEqual(
    careRecordsSent.slice(1_990, 2_990).map(({ id }) => id),
  );
});
