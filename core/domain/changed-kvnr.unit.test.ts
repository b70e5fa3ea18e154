import { expect, test } from 'vitest';
import { changedKvnrs, type FormerPatient, type Imported, type PresentPatient } from './changed-kvnr.ts';

const now = '2026-11-29T03:00:00.000Z';
const on = (day: number): Imported => ({ listId: `list-${day}`, at: `2026-11-${day}T03:00:00.000Z` });
const gone = (patientRef: string, more: Partial<FormerPatient> = {}): FormerPatient => ({
  patientRef,
  isRemoved: false,
  imported: on(10),
  ...more,
});
const fresh = (patientRef: string, imported = on(29)): PresentPatient => ({ patientRef, imported });
/** Returns the pairs as texts: `old>new`, with `?` if several are possible, with `=` if it is known. */
const pairs = (former: FormerPatient[], present: PresentPatient[]): string[] =>
  [...changedKvnrs(former, present, now)].map(
    ({ previousPatientRef, patientRef, isCertain, isKnown }) =>
      `${previousPatientRef}>${patientRef}${isKnown ? '=' : isCertain ? '' : '?'}`,
  );

test('one who is gone and one who is new are a pair', () => {
  expect(pairs([gone('a')], [fresh('b')])).toEqual(['a>b']);
  expect(pairs([gone('a', { isRemoved: true })], [fresh('b')])).toEqual(['a>b']); // a list has had neither
  const { imported: _, ...unknown } = gone('a');
  expect(pairs([unknown], [fresh('b')])).toEqual(['a>b']); // 0.2.0 has stored the old one
});

test('a patient is new for seven days: a list may have had both', () => {
  expect(pairs([gone('a')], [fresh('b', on(23))])).toEqual(['a>b']);
  expect(pairs([gone('a')], [fresh('b', on(21))])).toEqual([]);
  expect(pairs([gone('a')], [{ patientRef: 'b' }])).toEqual([]); // since 0.2.0
});

test('the new one has come after the old one: two of the same list are doubles', () => {
  expect(pairs([gone('a', { imported: on(28) })], [fresh('b', on(28))])).toEqual([]);
  expect(pairs([gone('a', { imported: on(29) })], [fresh('b', on(28))])).toEqual([]);
});

test('with several candidates, each pair is named and none is certain', () => {
  expect(pairs([gone('a')], [fresh('b'), fresh('c')])).toEqual(['a>b?', 'a>c?']);
  expect(pairs([gone('a'), gone('b')], [fresh('c')])).toEqual(['a>c?', 'b>c?']);
  expect(pairs([gone('a')], [fresh('b'), fresh('c', on(11))])).toEqual(['a>b?']); // c has been there all the time
});

test('a pair is named again while the removal waits, and then no more', () => {
  expect(pairs([gone('a', { successor: 'b' })], [fresh('b')])).toEqual(['a>b=']);
  expect(pairs([gone('a', { successor: 'b', isRemoved: true })], [fresh('b')])).toEqual([]);
});

test('a person may get a third KVNR within days', () => {
  const first = gone('a', { successor: 'b', isRemoved: true });
  expect(pairs([first, gone('b', { imported: on(28) })], [fresh('c')])).toEqual(['b>c']);
});

test('nobody follows two', () => {
  const first = gone('a', { successor: 'c', isRemoved: true });
  expect(pairs([first, gone('b')], [fresh('c')])).toEqual(['b>c?']);
});
