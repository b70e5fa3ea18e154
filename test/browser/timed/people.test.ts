import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityText } from '../../../core/domain/identity.ts';
import type { Kvnr } from '../../../core/domain/kvnr.ts';
import { splitAnswer } from '../../../core/domain/split-answer.ts';
import { defaultTables } from '../../../core/stores/tables.ts';
import type { WorldPatient } from '../../../simulator/world.ts';
import { signInAs, visit } from '../browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from '../world.fixture.ts';

let world: ConsoleWorld;
beforeAll(async () => {
  world = await startWorld({ seed: 1, patients: 160, rate: 0.8, latencyMs: 5, slowShare: 0, largeDocuments: 0 });
  await world.day.startWorker();
  expect(await world.day.runToEnd()).toMatchObject({ state: 'completed' });
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

const masterDataOf = ({ entries }: WorldPatient) =>
  JSON.parse(entries[0] ?? '{}') as { familyName: string; givenName: string };

/** Returns a stored patient who matches. */
const findPatient = (matches: (patient: WorldPatient) => boolean): WorldPatient => {
  const found = world.day.insurer
    .patients()
    .find((each) => each.kind === 'ok' && !each.isSpoiled && each.entries.length === 1 && matches(each));
  if (found === undefined) throw new Error('no patient of the simulator matches');
  return found;
};
const findPatientNamed = (text: string) =>
  findPatient((each) => masterDataOf(each).familyName === text || masterDataOf(each).givenName === text);

/** Changes an entry of the access log, for which no role of the system has the permission. */
async function tamperWithEntry(patientRef: string, seq: number): Promise<void> {
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));
  await dynamo.send(
    new UpdateCommand({
      TableName: defaultTables.accessLog,
      Key: { patientRef, seq },
      UpdateExpression: 'SET outcome = :outcome',
      ExpressionAttributeValues: { ':outcome': 'refused' },
    }),
  );
  dynamo.destroy();
}

async function openPageAs(role: keyof typeof demoUserNames): Promise<Page> {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames[role]);
  return page;
}

async function searchPatient(page: Page, kvnr: string): Promise<void> {
  await page.getByLabel('Versichertennummer').fill(kvnr);
  await page.getByRole('button', { name: 'Suchen' }).click();
  await page.getByRole('heading', { name: 'Versorgungen' }).waitFor();
}

test('a clinician finds a patient by KVNR, which is checked while typing and never part of a URL', async () => {
  const { kvnr } = findPatient(() => true);
  const { page } = await visit(world.browser, world.url);
  const addresses: string[] = [];
  const bodies: string[] = [];
  page.on('request', (request) => {
    addresses.push(request.url());
    bodies.push(request.postData() ?? '');
  });
  await signInAs(page, demoUserNames.clinician);
  const number = page.getByLabel('Versichertennummer');
  const button = page.getByRole('button', { name: 'Suchen' });
  await number.pressSequentially(kvnr.slice(0, 9).toLowerCase());
  await page.getByText('Es fehlen noch Zeichen.').waitFor();
  await number.press(String((Number(kvnr[9]) + 1) % 10));
  await page.getByText('Die Prüfziffer stimmt nicht').waitFor();
  expect(await button.isDisabled()).toBe(true);
  await number.press('Backspace');
  await number.press(kvnr[9] ?? '');
  await page.getByText('Die Prüfziffer stimmt.').waitFor();
  await number.press('Enter');
  await page.getByRole('heading', { name: 'Versorgungen' }).waitFor();
  await page.getByText(/^Stand: \d/).waitFor(); // when the insurer has sent them
  expect(page.url()).toBe(`${world.url}#/patient/${world.day.refOf(kvnr)}`);
  expect(addresses.filter((address) => address.includes(kvnr))).toEqual([]);
  expect(bodies.filter((body) => body.includes(kvnr))).toEqual([JSON.stringify({ kvnr })]);
  const stored = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  expect(stored).not.toContain(kvnr);
  expect(stored).not.toMatch(/eyJ/); // no token is stored either
  await page.context().close();
});

test('the page says that a KVNR is unknown', async () => {
  const page = await openPageAs('clinician');
  await page.getByLabel('Versichertennummer').fill('Z999999996');
  const isGood = await page.getByText('Die Prüfziffer stimmt.').isVisible();
  if (!isGood) await page.getByLabel('Versichertennummer').fill('A123456780');
  await page.getByRole('button', { name: 'Suchen' }).click();
  await page.getByText('Zu dieser Nummer ist kein Patient gespeichert.').waitFor();
  await page.context().close();
});

test('names that look like markup are shown as text, and a right-to-left name does not reorder its neighbours', async () => {
  const page = await openPageAs('clinician');
  await searchPatient(page, findPatientNamed('<b>Fett</b>').kvnr);
  await page.getByRole('heading', { level: 1, name: '<b>Fett</b>' }).waitFor();
  expect(await page.locator('h1 b').count()).toBe(0);
  await page.getByRole('button', { name: 'Anderen Patienten suchen' }).click();
  const arabic = findPatient((each) => masterDataOf(each).familyName === 'محمد عبد الله');
  await searchPatient(page, arabic.kvnr);
  const { familyName, givenName } = masterDataOf(arabic);
  const boxes = await page.locator('h1 bdi').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().left));
  expect(await page.locator('h1').textContent()).toBe(`${familyName}, ${givenName}`);
  expect(boxes[0]).toBeLessThan(boxes[1] ?? 0); // the family name is on the left, even if it is written from right to left
  await page.context().close();
});

test('a saved document has the bytes that the insurer sent', async () => {
  const withDocument = findPatient(({ careRecords }) => /"contentBase64":"[^"]{8}/.test(careRecords ?? ''));
  const page = await openPageAs('clinician');
  await searchPatient(page, withDocument.kvnr);
  const downloading = page.waitForEvent('download');
  await page
    .getByRole('button', { name: /^Herunterladen/ })
    .first()
    .click();
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/\.pdf$/);
  const { careRecords } = JSON.parse(withDocument.careRecords ?? '') as {
    careRecords: { documents?: { contentBase64: string }[] }[];
  };
  const [first] = careRecords.flatMap(({ documents = [] }) => documents);
  const sent = Buffer.from(first?.contentBase64 ?? '', 'base64');
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(sha256(readFileSync(await download.path()))).toBe(sha256(sent));
  await page.context().close();
});

test('while a run keeps the line busy, a sync is accepted within a second, and its completion is shown', async () => {
  const page = await openPageAs('clinician');
  const { kvnr } = findPatient(() => true);
  await searchPatient(page, kvnr);
  // warms up the Lambdas, because a cold start takes seconds here; at most four are called at the same time
  const params = { patientRef: world.day.refOf(kvnr) };
  await Promise.all(Array.from({ length: 4 }, async () => await world.call('readLastSync', { params })));
  world.day.insurer.setFaults({ latencyMs: 120 }); // the latency of a modem: with less, the test would measure the machine
  world.day.insurer.nextDay({ new: 60 });
  await world.day.sync.start();
  await world.day.until(({ phase, careRecords }) => phase === 'care-records' && careRecords.pending > 50);
  await page.evaluate(() => {
    const seen = window as unknown as { askedMs: number; acceptedMs?: number };
    new MutationObserver(() => {
      if (document.body.textContent?.includes('Der Abgleich ist angefordert')) seen.acceptedMs ??= performance.now();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    document.addEventListener('click', () => (seen.askedMs = performance.now()), { capture: true, once: true });
  });
  await page.getByRole('button', { name: 'Jetzt abgleichen' }).click();
  // the text may be replaced before a locator sees it: the observer misses nothing
  await page.waitForFunction(() => 'acceptedMs' in window);
  const tookMs = await page.evaluate(() => {
    const { askedMs, acceptedMs = Number.NaN } = window as unknown as { askedMs: number; acceptedMs?: number };
    return acceptedMs - askedMs;
  });
  await page.locator('[data-sync=completed]').waitFor({ timeout: 60_000 });
  world.day.insurer.setFaults({ latencyMs: 5 });
  await page.context().close();
  await world.day.ended();
  expect(tookMs).toBeLessThan(1_000);
});

test('while the line is paused, a sync is accepted and waits; it completes after the line is resumed', async () => {
  const page = await openPageAs('clinician');
  await searchPatient(page, findPatientNamed('<b>Fett</b>').kvnr);
  await world.day.line.pause({ operator: 'olga', reason: 'maintenance' });
  await page.getByRole('button', { name: 'Jetzt abgleichen' }).click();
  await page.getByText('Die Leitung ist pausiert').waitFor();
  await page.locator('[data-sync=requested], [data-sync=running]').waitFor();
  await page.reload(); // removes the answer to the request from memory
  await page.getByText('Die Leitung ist pausiert').waitFor();
  await world.day.line.resume({ operator: 'olga', reason: 'done' });
  // makes the page poll immediately
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  await page.locator('[data-sync=completed]').waitFor({ timeout: 60_000 });
  await page.context().close();
});

test('an operator requests a sync of a patient, and sees no data of the patient', async () => {
  const page = await openPageAs('operator');
  const { kvnr } = findPatientNamed('<b>Fett</b>');
  await page.getByRole('link', { name: 'Patienten', exact: true }).click();
  await page.getByLabel('Versichertennummer').fill(kvnr);
  await page.getByRole('button', { name: 'Suchen' }).click();
  await page.getByText(world.day.refOf(kvnr)).waitFor();
  await page.locator('[data-sync=completed]').waitFor();
  expect(await page.locator('main').textContent()).not.toContain('Fett');
  await page.context().close();
});

test('an auditor reads and filters the access log, verifies the chain, and saves the log as FHIR', async () => {
  const page = await openPageAs('auditor');
  const { kvnr } = findPatientNamed('<b>Fett</b>');
  const patientRef = world.day.refOf(kvnr);
  const addresses: string[] = [];
  page.on('request', (request) => addresses.push(request.url()));
  await page.getByLabel('Versichertennummer').fill(kvnr);
  await page.getByRole('button', { name: 'Suchen' }).click();
  await page.getByText(patientRef).waitFor();
  expect([page.url(), ...addresses].filter((address) => address.includes(kvnr))).toEqual([]);
  await page.getByRole('button', { name: 'Anderes Protokoll' }).click();
  await page.getByLabel('Pseudonym').fill(patientRef);
  await page.getByRole('button', { name: 'Protokoll anzeigen' }).click();
  await page
    .getByRole('row', { name: /Dr\. Miriam Vogt.*Akte gelesen/ })
    .first()
    .waitFor();
  const all = await page.getByRole('row').count();
  const places = await page.getByRole('rowheader').allInnerTexts();
  expect(places).toEqual(places.toSorted((a, b) => Number(b) - Number(a))); // newest first
  await page.getByRole('button', { name: 'Nur Einträge von Dr. Miriam Vogt' }).first().click();
  await expect.poll(async () => await page.getByRole('row', { name: /epa-sync|Jonas Brandt/ }).count()).toBe(0);
  await page
    .getByRole('row', { name: /Dr\. Miriam Vogt/ })
    .first()
    .waitFor();
  expect(await page.getByLabel('Person').inputValue()).toBe('demo-clinician');
  await page.getByRole('button', { name: 'Filter zurücksetzen' }).click();
  await page
    .getByRole('row', { name: /epa-sync/ })
    .first()
    .waitFor();
  await page.getByLabel('Vorgang').selectOption({ label: 'Abgleich angefordert' });
  await page.getByRole('button', { name: 'Filtern' }).click();
  await expect.poll(async () => await page.getByRole('row').count()).toBe(2);
  await page.getByLabel('Person').fill('nobody');
  await page.getByRole('button', { name: 'Filtern' }).click();
  await page.getByText('Keine Einträge.').waitFor();
  await page.getByRole('button', { name: 'Filter zurücksetzen' }).click();
  await expect.poll(async () => await page.getByRole('row').count()).toBeGreaterThan(all);
  await page.getByLabel('bis').fill('2020-01-01T00:00');
  await page.getByRole('button', { name: 'Filtern' }).click();
  await page.getByText('Keine Einträge.').waitFor();
  await page.getByRole('button', { name: 'Filter zurücksetzen' }).click();
  await page.getByRole('button', { name: 'Kette prüfen' }).click();
  await page.getByText(/unversehrt: Alle \d+ Einträge/).waitFor();
  await tamperWithEntry(patientRef, 2);
  await page.getByRole('button', { name: 'Kette prüfen' }).click();
  await page.getByText('beschädigt: Eintrag 2 ist nicht').waitFor();
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'als FHIR-Bundle speichern' }).click();
  const bundle = JSON.parse(readFileSync(await (await downloading).path(), 'utf8'));
  expect(bundle).toMatchObject({ resourceType: 'Bundle', entry: expect.any(Array) });
  expect(bundle.entry.length).toBeGreaterThan(5);
  await page.context().close();
});

test('an auditor downloads the report for the patient, as PDF and as HTML in the language of the page', async () => {
  const page = await openPageAs('auditor');
  const { kvnr } = findPatient(() => true);
  const download = async (button: string) => {
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: button }).click();
    const file = await downloading;
    return { name: file.suggestedFilename(), content: readFileSync(await file.path()) };
  };
  await page.goto(`${world.url}#/access-log/${world.day.refOf(kvnr)}`);
  const pdf = await download('Auskunft als PDF herunterladen');
  expect(pdf.name).toMatch(/^auskunft-[0-9a-f]{8}-\d{4}-\d\d-\d\d\.pdf$/);
  expect(pdf.content.subarray(0, 5).toString()).toBe('%PDF-');
  const german = await download('Auskunft als HTML herunterladen');
  expect(german.content.toString()).toContain('hat eine Auskunft wie diese für Sie erstellt.');
  await page.locator('header select').nth(0).selectOption('en');
  const english = await download('Download the report as HTML');
  expect(english.name).toMatch(/^access-report-.*\.html$/);
  expect(english.content.toString()).toContain('Result: the log is complete and unchanged.');
  await page.context().close();
});

test('management sees progress and runs, but no data of patients', async () => {
  const page = await openPageAs('management');
  const requestedPaths: string[] = [];
  page.on('request', (request) => requestedPaths.push(new URL(request.url()).pathname));
  await page.getByText('abgeschlossen').first().waitFor();
  await page.getByRole('link', { name: 'Läufe', exact: true }).click();
  await page.getByRole('row').nth(1).waitFor();
  expect(await page.getByRole('navigation').getByRole('link').allInnerTexts()).toEqual(['Fortschritt', 'Läufe']);
  await page.goto(`${world.url}#/patient`);
  await page.getByText('Diese Seite gibt es nicht').waitFor();
  expect(requestedPaths.filter((path) => /patient|issues/.test(path))).toEqual([]);
  await page.context().close();
});

test('a reload keeps the user signed in, and a sign-out also ends the session at the issuer', async () => {
  const page = await openPageAs('clinician');
  await page.reload();
  await page.getByText(demoUserNames.clinician).waitFor();
  await page.getByRole('button', { name: 'Abmelden' }).click();
  await page.getByRole('button', { name: 'Anmelden' }).click();
  await page.getByRole('button', { name: demoUserNames.auditor }).click();
  await page.getByText(demoUserNames.auditor).waitFor();
  await page.context().close();
});

test('an auditor sees the logs of a person whose KVNR has changed as one, and an operator sees the issue', async () => {
  const { day } = world;
  const { kvnr } = findPatient(({ entries: [entry = ''] }) => identityText(entry) !== undefined);
  const known = new Set(day.insurer.patients().map((patient) => patient.kvnr));
  day.insurer.nextDay({ newKvnr: [kvnr] });
  expect(await day.runToEnd()).toMatchObject({ patients: { kvnrChanged: 1, removed: 1 } });
  const now = day.refOf(day.insurer.patients().find((patient) => !known.has(patient.kvnr))?.kvnr ?? '');
  const before = day.refOf(kvnr);

  const page = await openPageAs('auditor');
  await page.getByLabel('Versichertennummer').fill(kvnr);
  await page.getByRole('button', { name: 'Suchen' }).click();
  await page.getByText('Diese Person hatte mehrere KVNR').waitFor();
  expect(await page.getByRole('listitem').getByRole('code').allInnerTexts()).toEqual([before, now]);
  expect(await page.getByRole('row', { name: /KVNR gewechselt/ }).count()).toBe(2);
  expect(await page.getByRole('row', { name: new RegExp(before.slice(0, 8)) }).count()).toBeGreaterThan(2);
  expect(await page.getByRole('row', { name: new RegExp(now.slice(0, 8)) }).count()).toBeGreaterThan(2);
  const times = await page
    .getByRole('table')
    .getByRole('time')
    .evaluateAll((all) => all.map((each) => each.getAttribute('datetime')));
  // a log keeps the order of its chain, and two processes that write to it read their clocks a few ms before
  const atMs = times.map((time) => Date.parse(time ?? ''));
  for (const [index, earlier] of atMs.slice(1).entries()) expect(earlier).toBeLessThanOrEqual((atMs[index] ?? 0) + 50);
  await page.getByRole('button', { name: 'Kette prüfen' }).click();
  await page.getByText(`Pseudonym ${now}`).waitFor();
  expect(await page.getByText('Die Kette ist unversehrt').count()).toBe(2);
  await page.context().close();

  const english = await openPageAs('auditor');
  await english.getByLabel('Sprache').selectOption('English');
  await english.getByLabel('Pseudonym').fill(now);
  await english.getByRole('button', { name: 'Show log' }).click();
  await english.getByText('This person has had several KVNRs').waitFor();
  await english
    .getByRole('row', { name: /KVNR changed/ })
    .first()
    .waitFor();
  await english.context().close();

  const operator = await openPageAs('operator');
  await operator.getByRole('link', { name: 'Auffälligkeiten', exact: true }).click();
  const issue = operator.getByRole('row', { name: /KVNR gewechselt/ });
  await issue.getByText(now).waitFor();
  await issue.getByText(`vorher ${before}`).waitFor();
  await operator.context().close();
});

test('fields are shown as the insurer sent them, also if they are of an unexpected type or additional', async () => {
  const { day } = world;
  const kvnr = day.insurer.world.kvnrAt(9_000) as Kvnr;
  const patientRef = day.refOf(kvnr);
  const master = {
    kvnr,
    familyName: null,
    givenName: 'Erika',
    birthDate: '00000000',
    gender: 2,
    insuredSince: '1950-02',
  };
  const records = [
    {
      ...{ id: '1', title: 'Asthma', status: 'active', programme: 'DMP', start: '1950-02-30', end: null },
      ...{ provider: 'Dr. Müller', diagnoses: 'J45', documents: { id: 'd1' } },
    },
    {
      ...{ id: '2', start: '2026-01-01', end: '01.02.2026', provider: { name: 'Praxis', bsnr: null, fax: '030' } },
      diagnoses: ['E11', { code: 'E10', text: 'Diabetes', certainty: 'G' }, {}],
      documents: [
        null,
        { id: 'null', contentBase64: null },
        { id: 'none' },
        { id: 'full', contentBase64: 'QUJD', content: 'theirs', pages: 3 },
      ],
    },
    { id: '3', status: 'visually-hidden', end: '2026-02-01', provider: { bsnr: 5 }, diagnoses: { code: 'J45' } },
  ];
  const body = JSON.stringify({ ...master, address: 'Hauptstr. 1' });
  await day.stores.patients.storeNew([{ patientRef, kvnr, body, contentHash: '' }], 'list');
  const answer = splitAnswer(JSON.stringify({ kvnr, careRecords: records }));
  await day.stores.careRecords.stage(patientRef, '1', answer);
  expect(await day.stores.patients.activateCareVersion(patientRef, '1', 1)).toBe(true);

  const page = await openPageAs('clinician');
  await searchPatient(page, kvnr);
  await page.getByText('Praxis').waitFor();
  await page.locator('details').evaluateAll((all) => {
    for (const each of all) each.setAttribute('open', '');
  });
  const texts = await page.locator('section.card:has(#patient-name), .record').allInnerTexts();
  const [patient, ...cards] = texts.map((text) => text.replace(/\s+/g, ' '));
  expect(patient).toMatch(/^–, Erika .* Geburtsdatum 00000000 Geschlecht 2 .* Versichert seit 1950-02 /);
  expect(patient).toMatch(/ Weitere Angaben { "familyName": null, "address": "Hauptstr. 1" }$/);
  const empty = 'Die Krankenkasse hat keinen Inhalt geschickt.';
  expect(cards).toEqual([
    'Asthma aktiv DMP ab 1950-02-30 Weitere Angaben { "id": "1", "end": null, "provider": "Dr. Müller", "diagnoses": "J45", "documents": { "id": "d1" } }',
    [
      '2 01.01.2026 bis 01.02.2026 Leistungserbringer Praxis',
      'Diagnosen E10 Diabetes Weitere Angaben { "certainty": "G" }',
      `Dokumente null ${empty} Weitere Angaben { "contentBase64": null } none ${empty}`,
      'full 3 Byte Herunterladen : full Weitere Angaben { "content": "theirs", "pages": 3 }',
      'Weitere Angaben { "id": "2", "provider": { "bsnr": null, "fax": "030" }, "diagnoses": [ "E11", {} ], "documents": [ null ] }',
    ].join(' '),
    '3 visually-hidden bis 01.02.2026 Leistungserbringer BSNR 5 Weitere Angaben { "id": "3", "diagnoses": { "code": "J45" } }',
  ]);
  await page.getByLabel('Sprache').selectOption('English');
  expect(await page.getByText('The insurer sent no content.').count()).toBe(2);
  await page.getByText('until Feb 1, 2026').waitFor();
  await page.context().close();
});

/** A PDF of one empty page. */
const pdf = [
  '%PDF-1.4',
  '1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj',
  '2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj',
  '3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj',
  'trailer<</Size 4/Root 1 0 R>>',
].join('\n');
/** A picture of one pixel. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** Stores a patient who is not on the list, with one care record. */
async function storePatient(kvnr: string, documents: readonly object[]): Promise<void> {
  const { day } = world;
  const patientRef = day.refOf(kvnr);
  const body = JSON.stringify({ kvnr, familyName: 'Dokument', givenName: 'Dora', weight: 71.0 }).replace('71', '71.0');
  await day.stores.patients.storeNew([{ patientRef, kvnr: kvnr as Kvnr, body, contentHash: '' }], 'list');
  const answer = splitAnswer(JSON.stringify({ kvnr, careRecords: [{ id: 'r', title: 'Asthma', documents }] }));
  await day.stores.careRecords.stage(patientRef, '1', answer);
  expect(await day.stores.patients.activateCareVersion(patientRef, '1', 1)).toBe(true);
}

/** Takes away what browsers have got in the last three years, before the page loads. */
function takeNewFunctions(): void {
  const remove = (holder: object | undefined, ...functions: string[]) => {
    for (const name of functions) if (holder !== undefined) Reflect.deleteProperty(holder, name);
  };
  const { parse } = JSON;
  JSON.parse = (text, reviver) => parse(text, reviver && ((key, value) => reviver(key, value)));
  remove(JSON, 'rawJSON', 'isRawJSON');
  remove(AbortSignal, 'any');
  remove(Array, 'fromAsync');
  remove(Promise, 'try', 'withResolvers');
  remove(Object, 'groupBy');
  remove(Map, 'groupBy');
  remove(URL, 'parse', 'canParse');
  remove(RegExp, 'escape');
  remove(Error, 'isError');
  remove(Math, 'sumPrecise', 'f16round');
  remove(Uint8Array, 'fromBase64', 'fromHex');
  remove(Uint8Array.prototype, 'toBase64', 'toHex');
  remove(ArrayBuffer.prototype, 'transfer', 'transferToFixedLength', 'resize');
  remove(Map.prototype, 'getOrInsert', 'getOrInsertComputed');
  remove(Intl, 'DurationFormat', 'Segmenter');
  remove(
    Set.prototype,
    ...['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom'],
  );
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;
  remove(
    iterator,
    ...['map', 'filter', 'take', 'drop', 'flatMap', 'reduce', 'toArray', 'forEach', 'some', 'every', 'find'],
  );
  for (const name of [
    'Iterator',
    'AsyncDisposableStack',
    'DisposableStack',
    'SuppressedError',
    'Float16Array',
    'URLPattern',
  ])
    Reflect.deleteProperty(globalThis, name);
}

test('a browser of three years ago shows a patient, with numbers as the insurer wrote them', async () => {
  const kvnr = 'A000000026';
  await storePatient(kvnr, [{ id: 'd', title: 'Brief', mediaType: 'text/plain', contentBase64: 'QUJD' }]);
  const context = await world.browser.newContext({ locale: 'de-DE' });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.addInitScript(takeNewFunctions);
  await page.goto(world.url);
  expect(await page.evaluate(() => 'rawJSON' in JSON || 'any' in AbortSignal)).toBe(false);
  await signInAs(page, demoUserNames.clinician);
  await searchPatient(page, kvnr);
  await page.getByRole('heading', { level: 1, name: 'Dokument, Dora' }).waitFor();
  await page.getByText('Weitere Angaben').first().click();
  await page.getByText('"weight": 71.0').waitFor();
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Herunterladen/ }).click();
  expect((await downloading).suggestedFilename()).toBe('Brief.txt');
  expect(errors).toEqual([]);
  await context.close();
});

test('a PDF and a picture are shown in the page, and it says so if the bytes are not of the named type', async () => {
  const kvnr = 'A000000014';
  const encoded = Buffer.from(pdf).toString('base64');
  await storePatient(kvnr, [
    { id: 'd1', title: 'Arztbrief', mediaType: 'application/pdf', contentBase64: encoded },
    { id: 'd2', title: 'Foto', mediaType: 'image/png', contentBase64: png },
    { id: 'd3', title: 'Vertauscht', mediaType: 'application/pdf', contentBase64: png },
    { id: 'd4', title: 'Seite', mediaType: 'application/pdf', contentBase64: btoa('<script>alert(1)</script>') },
    { id: 'd5', title: 'Text', mediaType: 'text/html', contentBase64: btoa('<script>alert(1)</script>') },
  ]);
  const { page, consoleErrors } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.clinician);
  await searchPatient(page, kvnr);
  const show = async (name: string) => await page.getByRole('button', { name: `Ansehen : ${name}` }).click();
  await show('Arztbrief');
  const frame = page.getByTitle('Vorschau: Arztbrief');
  await frame.waitFor();
  expect(await frame.getAttribute('src')).toMatch(/^blob:/);
  await page.getByRole('button', { name: 'Schließen : Arztbrief' }).click();
  await frame.waitFor({ state: 'detached' });
  for (const name of ['Foto', 'Vertauscht']) {
    await show(name);
    const picture = page.getByAltText(`Vorschau: ${name}`);
    await picture.waitFor();
    await picture.evaluate(async (image: HTMLImageElement) => await image.decode()); // fails if the policy forbids it
  }
  await page.getByText('Die Krankenkasse nennt das Dokument application/pdf, aber der Inhalt ist image/png.').waitFor();
  await show('Seite');
  await page.getByText('aber der Inhalt ist etwas anderes').waitFor();
  expect(await page.getByTitle('Vorschau: Seite').count()).toBe(0);
  expect(await page.getByRole('button', { name: 'Ansehen : Text' }).count()).toBe(0);
  await page.getByLabel('Sprache').selectOption('English');
  await page.getByText('The insurer calls the document application/pdf, but its content is image/png.').waitFor();
  expect(consoleErrors).toEqual([]);
  await page.context().close();
});

test('a clinician finds a person by birth date and name with the keyboard, and opens the record', async () => {
  const { familyName, givenName, birthDate } = JSON.parse(
    findPatient((each) => /"birthDate":"\d{4}-(?!00)/.test(each.entries[0] ?? '')).entries[0] ?? '{}',
  ) as Record<'familyName' | 'givenName' | 'birthDate', string>;
  const page = await openPageAs('clinician');
  await page.getByLabel('Geburtsdatum').fill(birthDate);
  await page.getByLabel('Nachname').fill(familyName.slice(0, 3).toUpperCase());
  await page.keyboard.press('Enter');
  await page.getByText('Eine Person gefunden').waitFor();
  expect(page.url()).not.toContain(birthDate);
  const found = page.getByRole('link', { name: `${familyName}, ${givenName}` });
  await found.waitFor();
  await page.getByLabel('Vorname').fill('x');
  await found.waitFor({ state: 'detached' }); // the next person is being typed
  await page.getByLabel('Vorname').fill('');
  await page.keyboard.press('Enter');
  await found.press('Enter');
  await page.getByRole('heading', { name: 'Versorgungen' }).waitFor();
});

test('an operator has no search by name', async () => {
  const page = await openPageAs('operator');
  await page.getByRole('link', { name: 'Patienten', exact: true }).click();
  await page.getByLabel('Versichertennummer').waitFor();
  expect(await page.getByLabel('Geburtsdatum').count()).toBe(0);
});
