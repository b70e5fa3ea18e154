import { expect, test } from 'vitest';
import { type PatientImage, patientChangesOf } from './patient-change.ts';

const patientRef = '0123456789abcdef0123456789abcdef';
const at = '2026-11-30T06:00:00Z';
const [first, second] = ['0000000001', '0000000002'];

const imageOf = (attributes: Readonly<Record<string, string>>): PatientImage =>
  Object.fromEntries(Object.entries({ patientRef, ...attributes }).map(([name, text]) => [name, { S: text }]));
const listed = { kvnr: 'A123456780', contentHash: 'one', careState: 'pending', revision: '1' };
const withRecords = { ...listed, careVersion: first, careState: 'current' };
const provisional = { kvnr: 'A123456780', unlisted: 'true', careVersion: first, careState: 'current' };
const inquiry = { kvnr: 'A123456780', unlisted: 'true', expiresAt: '1800000000' };
const tombstone = { revision: '5', expiresAt: '1800000000' };
const removing = { ...withRecords, removing: 'true' };

type Item = Readonly<Record<string, string>> | undefined;
const changes = (before: Item, after: Item) =>
  patientChangesOf(before && imageOf(before), after && imageOf(after), at).map(
    ({ patientRef: of, at: when, ...change }) => {
      expect([of, when]).toEqual([patientRef, at]);
      return change;
    },
  );

test.each<[string, Item, Item, ReturnType<typeof changes>]>([
  ['a list names somebody new', undefined, listed, [{ what: 'imported' }]],
  ['a list names a removed patient again', tombstone, listed, [{ what: 'imported' }]],
  ['a list names a patient whose removal has begun', removing, listed, [{ what: 'imported' }]],
  ['a list names somebody about whom a person asks', inquiry, listed, [{ what: 'imported' }]],
  [
    'the list entry is another one',
    withRecords,
    { ...withRecords, contentHash: 'two' },
    [{ what: 'changed', careVersion: first }],
  ],
  ['a list names a provisional patient', provisional, withRecords, [{ what: 'changed', careVersion: first }]],
  ['the first care records are stored', listed, withRecords, [{ what: 'care-records-updated', careVersion: first }]],
  [
    'care records are replaced',
    withRecords,
    { ...withRecords, careVersion: second },
    [{ what: 'care-records-updated', careVersion: second }],
  ],
  [
    'care records make somebody a provisional patient',
    inquiry,
    provisional,
    [
      { what: 'imported', careVersion: first },
      { what: 'care-records-updated', careVersion: first },
    ],
  ],
  ['a removal begins', withRecords, removing, [{ what: 'removed' }]],
  ['somebody deletes the item', withRecords, undefined, [{ what: 'removed' }]],
])('%s: others are told', (_, before, after, expected) => {
  expect(changes(before, after)).toEqual(expected);
});

test.each<[string, Item, Item]>([
  ['a person asks about somebody unknown', undefined, inquiry],
  ['a person asks about a removed patient', tombstone, inquiry],
  ['an inquiry ends', inquiry, { kvnr: 'A123456780', unlisted: 'true', removing: 'true' }],
  ['a removal ends', removing, tombstone],
  ['a tombstone expires', tombstone, undefined],
  ['an inquiry expires', inquiry, undefined],
  ['a list lacks the patient', withRecords, { ...withRecords, goneIn: 'list-2', revision: '2' }],
  ['a fetch fails', withRecords, { ...withRecords, careState: 'failed' }],
  ['the insurer answers 410, and an operator is asked', withRecords, { ...withRecords, notInsured: 's', heldFor: 'q' }],
  ['the care records have not changed', withRecords, { ...withRecords, careRecordsAsOf: '2026-11-30T05:00:00Z' }],
  ['a sync ends', withRecords, { ...withRecords, lastSync: 's' }],
])('%s: that means nothing to others', (_, before, after) => {
  expect(changes(before, after)).toEqual([]);
});

test('an item without a pseudonym stops no batch', () => {
  expect(patientChangesOf(undefined, { kvnr: { S: 'A123456780' } }, at)).toEqual([]);
  expect(patientChangesOf(undefined, undefined, at)).toEqual([]);
});
