import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventsPage } from '../../docs/events-page.ts';
import { type EventName, eventKinds, eventSchemaOf, eventsOf, eventTypeOf, type Fact, jsonSchemaOf } from './event.ts';

const docs = join(import.meta.dirname, '..', '..', 'docs');
const names = Object.keys(eventKinds) as EventName[];

test('docs/events/ has the schema of each event, and docs/reference/events.md is up to date', () => {
  const files = Object.fromEntries(
    globSync('*.json', { cwd: join(docs, 'events') }).map((file) => [
      file,
      JSON.parse(readFileSync(join(docs, 'events', file), 'utf8')) as unknown,
    ]),
  );
  expect(files).toEqual(Object.fromEntries(names.map((name) => [`${eventTypeOf(name)}.json`, jsonSchemaOf(name)])));
  expect(readFileSync(join(docs, 'reference', 'events.md'), 'utf8')).toBe(eventsPage());
});

const patientRef = 'a1'.repeat(16);
const fact: Fact = { name: 'patient.removed', subject: patientRef, data: { patientRef } };
const at = '2026-11-30T02:00:00.000Z';

test('a write that is read again gives the same events', () => {
  const written = { recordId: 'r1', sequenceNumber: '17', at };
  const [event] = eventsOf([fact], written, 'epa-sync/test');
  expect(eventsOf([fact], written, 'epa-sync/test')).toEqual([event]);
  expect(eventSchemaOf('patient.removed').parse(event)).toEqual(event);
  expect(event).toMatchObject({ id: 'r1-patient.removed', source: '/epa-sync/test/patient', time: at });
});

test('the later one of two events has the greater sequence, also if its number has more digits', () => {
  const facts: Fact[] = [
    { name: 'patient.imported', subject: patientRef, data: { patientRef } },
    { name: 'patient.care-records-updated', subject: patientRef, data: { patientRef, careVersion: 'v1' } },
  ];
  const sequences = ['999', '1000', '100000000000000000000'].flatMap((sequenceNumber) =>
    eventsOf(facts, { recordId: 'r', sequenceNumber, at }, 'epa-sync/test').map(({ sequence }) => sequence),
  );
  expect(sequences.toSorted()).toEqual(sequences);
  expect(new Set(sequences).size).toBe(6);
});
