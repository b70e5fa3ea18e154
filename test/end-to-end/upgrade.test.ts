import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { parseLossless, printLossless } from '../../core/json/lossless.ts';
import { linksIn, openApi } from '../api.fixture.ts';
import { startDay } from '../day.fixture.ts';
import { startListening } from '../event-queue.fixture.ts';
import { type ReleaseData, readReleaseData } from '../release.fixture.ts';

interface Entry {
  readonly kvnr: string;
  readonly familyName: string;
  readonly birthDate: string;
}

/** Answers as the insurer has answered 0.2.0, until `nextDay`. */
async function startRecordedInsurer({ list, careRecords }: ReleaseData['insurer']) {
  let today = list;
  /** status of each answer to a request for the list */
  const listAnswers: number[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    const [, kvnr] = /^\/patients\/(\w+)\/care-records$/.exec(url) ?? [];
    if (kvnr === undefined) {
      const status = headers['if-none-match'] === today.etag ? 304 : 200;
      listAnswers.push(status);
      response.writeHead(status, { 'content-type': 'application/json', etag: today.etag });
      return response.end(status === 200 ? today.text : undefined);
    }
    const records = careRecords[kvnr];
    response.writeHead(records === undefined ? 404 : 200, { 'content-type': 'application/json' });
    return response.end(records);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    listAnswers,
    nextDay(entries: readonly unknown[]): void {
      today = { etag: '"the next day"', text: printLossless(entries) };
    },
    [Symbol.dispose]: () => void server.close(),
  };
}

test('what 0.2.0 has stored is read, found and watched after an upgrade', async () => {
  const { keys, insurer } = readReleaseData();
  using recorded = await startRecordedInsurer(insurer);
  const settings = { REMOVAL_LIMIT_PERCENT: '50' }; // one of a few patients is many
  await using day = await startDay({ patients: 1 }, settings, { api: true, isUpgraded: true, moreSecret: keys });
  const readEvents = await startListening();
  const { call, tokens } = await openApi(day.stack);
  const stored = (await day.storedRefs()).sort();
  const listed: readonly Entry[] = JSON.parse(insurer.list.text);
  const people = listed.filter(({ kvnr }) => stored.includes(day.refOf(kvnr)));
  expect(stored).toHaveLength(people.length);
  const { next: cursor } = (await call('readChanges', { query: '?since=now' })).json;

  // everything is there before a run of this version
  let documents = 0;
  for (const person of people) {
    const patientRef = day.refOf(person.kvnr);
    const { json } = await call('lookUpPatient', { body: { kvnr: person.kvnr }, token: tokens.get('clinician') });
    expect(json).toEqual({ patientRef });
    const { status, json: patient } = await call('readPatient', { params: { patientRef } });
    expect([status, patient.patient]).toEqual([200, person]);
    const sent = JSON.parse(insurer.careRecords[person.kvnr] ?? '{}').careRecords ?? [];
    expect((await day.careRecordTexts(patientRef)).map((text) => JSON.parse(text))).toEqual(sent);
    for (const token of linksIn(patient)) {
      const { headers } = await call('readDocument', { params: { token } });
      const text = await (await fetch(headers.get('location') ?? '')).text();
      expect(JSON.stringify(sent)).toContain(text); // base64, as 0.2.0 has stored it
      documents += 1;
    }
    expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
  }
  expect(documents).toBeGreaterThan(0);

  // the next run makes people findable, although the list is the same
  await day.startWorker({ INSURER_BASE_URL: recorded.baseUrl });
  const unchanged = { new: 0, changed: 0, removed: 0 };
  expect(await day.runToEnd()).toMatchObject({ patients: unchanged });
  for (const { kvnr, familyName, birthDate } of people) {
    const { json } = await call('searchPatients', { body: { familyName, birthDate } });
    expect(json.hits).toContainEqual(expect.objectContaining({ patientRef: day.refOf(kvnr) }));
  }
  expect(await day.runToEnd()).toMatchObject({ patients: unchanged });
  expect(recorded.listAnswers).toEqual([200, 304]);

  // another program begins with an export
  const { exportId } = (await call('startExport')).json;
  const exported = async () => (await call('readExport', { params: { exportId } })).json;
  await expect
    .poll(exported, { timeout: 60_000, interval: 500 })
    .toMatchObject({ state: 'completed', patients: people.length, skipped: 0 });

  // changes and events tell what happens from then on
  const [leaving, changing] = people;
  const entries = parseLossless(insurer.list.text) as readonly Entry[]; // a number in another form would be a change
  const rest = entries.filter(({ kvnr }) => kvnr !== leaving?.kvnr);
  recorded.nextDay(rest.map((entry) => (entry.kvnr === changing?.kvnr ? { ...entry, familyName: 'Neu' } : entry)));
  expect(await day.runToEnd()).toMatchObject({ patients: { new: 0, changed: 1, removed: 1 } });
  const expected = [
    ['changed', day.refOf(changing?.kvnr as Kvnr)],
    ['removed', day.refOf(leaving?.kvnr as Kvnr)],
  ];
  const told = async () => {
    const { json } = await call('readChanges', { query: `?since=${cursor}` });
    return json.changes.map(({ what, patientRef }: Record<string, string>) => [what, patientRef]).sort();
  };
  await expect.poll(told, { timeout: 30_000 }).toEqual(expected);
  const published = async () => new Set((await readEvents()).map(({ type }) => type));
  await expect
    .poll(published, { timeout: 30_000 })
    .toEqual(new Set(['patient.changed', 'patient.removed', 'run.completed'].map((name) => `epa-sync.${name}.v1`)));
}, 300_000);
