import { expect, test } from 'vitest';
import { recordedChangesOf } from '../../core/domain/patient-change.ts';
import { factsOf, recordsOf, writtenAt } from './stream-record.ts';

const patientRef = 'a1'.repeat(16);
const item = {
  patientRef: { S: patientRef },
  kvnr: { S: 'A123456780' },
  contentHash: { S: 'h' },
  revision: { N: '1' },
};
/** A record as Lambda passes it, with more fields than are read. */
const record = {
  eventID: 'e1',
  eventName: 'INSERT',
  eventSource: 'aws:dynamodb',
  dynamodb: {
    ApproximateCreationDateTime: 1_796_000_000,
    SequenceNumber: '17',
    SizeBytes: 100,
    Keys: { shard: { S: 'a1' }, patientRef: { S: patientRef } },
    NewImage: item,
  },
};

test('a record tells the same to both readers: when it was written, and by which ID it is known', () => {
  const [read] = recordsOf({ Records: [record] });
  if (read === undefined) throw new Error('no record');
  const written = writtenAt(read);
  expect(written).toEqual({ recordId: 'e1', sequenceNumber: '17', at: '2026-11-30T00:53:20.000Z' });
  expect(factsOf(read, 'test')).toEqual([{ name: 'patient.imported', subject: patientRef, data: { patientRef } }]);
  const { OldImage, NewImage } = read.dynamodb;
  expect(recordedChangesOf(OldImage, NewImage, written)).toEqual([
    { id: 'e1-imported', patientRef, what: 'imported', at: written.at },
  ]);
});

const { eventID, dynamodb } = record;
const { ApproximateCreationDateTime, SequenceNumber, Keys } = dynamodb;
test.each<[string, unknown]>([
  ['an ID', { dynamodb }],
  ['an ID that is not empty', { eventID: '', dynamodb }],
  ['the item', { eventID }],
  ['the time of the write', { eventID, dynamodb: { SequenceNumber, Keys, NewImage: item } }],
  ['a sequence number', { eventID, dynamodb: { ApproximateCreationDateTime, Keys, NewImage: item } }],
  ['the key of the item', { eventID, dynamodb: { ApproximateCreationDateTime, SequenceNumber, NewImage: item } }],
])('a batch with a record without %s fails, and its error names no contents', (_, broken) => {
  const read = () => recordsOf({ Records: [record, broken] });
  expect(read).toThrow(/"Records",\s*1/);
  expect(read).not.toThrow('A123456780');
  expect(() => recordsOf({})).toThrow('Records');
});
