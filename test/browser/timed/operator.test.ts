import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insurerId } from '../../day.fixture.ts';
import { signInAs, type Visit, visit } from '../browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from '../world.fixture.ts';

let world: ConsoleWorld;
let operator: Visit;
beforeAll(async () => {
  world = await startWorld({ patients: 240, rate: 0.8, latencyMs: 20, slowShare: 0 });
  await world.day.startWorker();
  operator = await visit(world.browser, world.url);
  await signInAs(operator.page, demoUserNames.operator);
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

/** Presses a button, and enters a reason in its dialog. */
async function confirmWithReason(page: Page, name: string, reason: string): Promise<void> {
  await page.getByRole('button', { name }).click();
  const dialog = page.getByRole('alertdialog');
  await dialog.getByRole('textbox', { name: 'Grund' }).fill(reason);
  await dialog.getByRole('button', { name }).click();
}

const lineWithStatus = (page: Page, status: string) => page.locator(`[data-status=${status}]`);

test('an operator starts a run and sees its progress without reloading', async () => {
  const { page } = operator;
  await page.getByText('Es gab noch keinen Lauf.').waitFor();
  await page.getByRole('link', { name: 'Auffälligkeiten', exact: true }).click();
  await page.getByRole('heading', { name: 'Auffälligkeiten' }).waitFor();
  await page.getByText('Es gab noch keinen Lauf.').waitFor();
  await page.getByRole('link', { name: 'Betrieb', exact: true }).click();
  world.day.insurer.script(
    { match: 'list', fault: 'server-error' },
    { match: 'list', fault: 'none', slowMs: 8_000, framing: 'content-length' },
  );
  await page.getByRole('button', { name: 'Lauf starten' }).click();
  await page.getByText('läuft', { exact: true }).first().waitFor();
  const arriving = page.getByRole('progressbar', { name: 'Liste kommt an' });
  const percent = async () => Number(await arriving.getAttribute('aria-valuenow'));
  await expect.poll(percent, { timeout: 20_000 }).toBeGreaterThan(10);
  await page.getByText(/^[\d,]+ kB pro Sekunde · noch ca\. \d+ Sek\. · seit /).waitFor();
  await page.getByText('Anfragen: 1, davon fehlgeschlagen: 1 (Fehler bei der Krankenkasse 1)').waitFor();
  await page.locator('[aria-current=step]', { hasText: 'Versorgungen abrufen' }).waitFor();
  const doneSoFar = async () => {
    const name = (await page.getByRole('img', { name: /^Versorgungen:/ }).getAttribute('aria-label')) ?? '';
    return Number(/([\d.]+) gespeichert/.exec(name)?.[1]?.replace('.', ''));
  };
  const before = await doneSoFar();
  await expect.poll(doneSoFar, { timeout: 20_000 }).toBeGreaterThan(before + 3);
  await page.getByRole('img', { name: /gespeichert, \d+ fehlgeschlagen\.$/ }).waitFor(); // the chart
});

test('screen readers announce the state of the line, but not each request', async () => {
  const { page } = operator;
  const heard = await page.evaluate(async () => {
    const state = document.querySelector('.line [role=status]');
    const seen = { texts: new Set<string | null>(), dots: new Set<string | undefined>() };
    // until the page has shown both states, idle and busy: it polls on its own schedule
    for (let samples = 0; samples < 100 || (seen.dots.size < 2 && samples < 1_000); samples += 1) {
      seen.texts.add(state?.textContent ?? null);
      seen.dots.add(document.querySelector('.activity-dot')?.className);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return { texts: [...seen.texts], dots: seen.dots.size };
  });
  expect(heard).toEqual({ texts: ['Offen'], dots: 2 });
});

test('during a run, the page shows a pause as silent only when it is, and the simulator then counts no request', async () => {
  const { page } = operator;
  await world.day.insurer.until(({ inFlight }) => inFlight === 1);
  await confirmWithReason(page, 'Leitung pausieren', 'Wartung <b>bis</b> 14 Uhr');
  await lineWithStatus(page, 'pausing').waitFor();
  await page.getByText('Still seit').waitFor();
  await world.day.insurer.setPaused(true);
  expect(await world.day.line.read()).toMatchObject({ state: 'paused', silent: true });
  await page.getByText('Wartung <b>bis</b> 14 Uhr').first().waitFor();
  expect(await page.locator('b').count()).toBe(0);
  const { requests } = world.day.insurer.summary();
  await sleep(2_000);
  expect(world.day.insurer.summary()).toMatchObject({ requests, whilePaused: 0, inFlightWhenPaused: 0 });
});

test('a page that is opened later shows who paused the line, why, and since when it is silent', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.management);
  await lineWithStatus(page, 'silent').waitFor();
  const { silentSince = '' } = await world.day.line.read();
  const moment = new Intl.DateTimeFormat('de-DE', { timeStyle: 'medium' }).format(new Date(silentSince));
  await page.getByText(`Still seit ${moment}`, { exact: true }).waitFor();
  await page.getByText('demo-operator').first().waitFor();
  expect(await page.getByRole('button', { name: /Leitung|Lauf/ }).count()).toBe(0);
  await page.context().close();
});

test('a second pause is shown with its reason, and the dialog to resume the line shows all reasons before it is confirmed', async () => {
  const { page } = operator;
  await world.day.line.pause({ operator: 'otto', reason: 'Modem <i>kaputt</i>' });
  const panel = page.getByRole('region', { name: 'Leitung zur Krankenkasse' });
  const reasons = panel.getByRole('listitem').filter({ hasText: 'Grund' });
  await expect.poll(async () => await reasons.count()).toBe(2);
  await page.getByRole('button', { name: 'Leitung öffnen' }).click();
  const dialog = page.getByRole('alertdialog');
  await dialog.getByText('endet die Pause für alle').waitFor();
  const shown = await dialog.getByRole('listitem').allInnerTexts();
  expect(shown.map((text) => text.replace(/\s+/g, ' '))).toEqual([
    expect.stringMatching(/demo-operator.* Grund Wartung <b>bis<\/b> 14 Uhr$/),
    expect.stringMatching(/Von otto Grund Modem <i>kaputt<\/i>$/),
  ]);
  await dialog.getByRole('button', { name: 'Zurück' }).click();
  await dialog.waitFor({ state: 'detached' });
});

test('after the line is resumed, the run completes', async () => {
  const { page } = operator;
  await world.day.insurer.setPaused(false);
  await confirmWithReason(page, 'Leitung öffnen', 'fertig');
  await lineWithStatus(page, 'open').waitFor();
  const focused = await page.evaluate(() => document.activeElement?.textContent);
  expect(focused).toBe('Leitung pausieren'); // the pressed button keeps the focus, with its new label
  await page.getByText('abgeschlossen').first().waitFor({ timeout: 120_000 });
  await page.getByText('Wer die Leitung geändert hat').click();
  await page.getByText(/demo-operator\) geöffnet/).waitFor();
  expect(world.day.insurer.summary()).toMatchObject({ overlaps: 0, violations: 0 });
});

test('an operator pauses the line until a moment, and the page shows it', async () => {
  const { page } = operator;
  await page.getByRole('button', { name: 'Leitung pausieren' }).click();
  const dialog = page.getByRole('alertdialog');
  await dialog.getByRole('textbox', { name: 'Grund' }).fill('kurze Wartung');
  await dialog.getByLabel('Ende der Pause').selectOption('zu einem anderen Zeitpunkt');
  await dialog.getByLabel('Zeitpunkt', { exact: true }).fill('2020-01-01T08:00');
  await dialog.getByRole('button', { name: 'Leitung pausieren' }).click(); // an end in the past is refused
  await dialog.getByLabel('Ende der Pause').selectOption('in 30 Minuten');
  await dialog.getByRole('button', { name: 'Leitung pausieren' }).click();
  await lineWithStatus(page, 'silent').waitFor();
  const { until = '' } = await world.day.line.read();
  expect(Math.round((Date.parse(until) - Date.now()) / 60_000)).toBe(30);
  const panel = page.getByRole('region', { name: 'Leitung zur Krankenkasse' });
  await panel.getByText('Öffnet sich von selbst').waitFor();
  await page.getByRole('button', { name: 'Pause verlängern' }).click();
  await dialog.getByLabel('Ende der Pause').selectOption('in 2 Stunden');
  await dialog.getByRole('button', { name: 'Pause verlängern' }).click();
  await expect
    .poll(async () => Math.round((Date.parse((await world.day.line.read()).until ?? '') - Date.now()) / 60_000), {
      timeout: 10_000,
    })
    .toBe(120);
  await world.day.line.resume({ operator: 'otto', reason: 'doch nicht' });
  await lineWithStatus(page, 'open').waitFor();
});

test('an operator sets a pace that is possible, and takes it away', async () => {
  const { page } = operator;
  const limits = page.locator('.limits');
  const dialog = page.getByRole('alertdialog');
  await page.getByRole('button', { name: 'Tempo setzen' }).click();
  await dialog.getByRole('textbox', { name: 'Grund' }).fill('Bitte der Kasse');
  const requests = dialog.getByLabel('Anfragen pro Minute');
  await requests.fill('0');
  await dialog.getByRole('button', { name: 'Tempo setzen' }).click();
  await dialog.locator('.react-aria-FieldError').waitFor();
  await requests.fill('30');
  await dialog.getByRole('button', { name: 'Tempo setzen' }).click();
  await limits.getByText('Höchstens 30 Anfragen pro Minute.').waitFor();
  expect(await world.day.line.read()).toMatchObject({ pace: { requestsPerMinute: 30, reason: 'Bitte der Kasse' } });
  await page.getByRole('button', { name: 'Tempo setzen' }).click();
  await dialog.getByRole('textbox', { name: 'Grund' }).fill('erledigt');
  await requests.fill('');
  await dialog.getByRole('button', { name: 'Tempo setzen' }).click();
  await limits.getByText('Keine Grenze für Anfragen pro Minute.').waitFor();
});

test('issues are shown with their reasons, filtered, and saved as CSV', async () => {
  const { page } = operator;
  await page.getByRole('link', { name: 'Auffälligkeiten', exact: true }).click();
  const progress = await world.day.sync.readProgress();
  const total =
    (progress?.patients.quarantined ?? 0) +
    (progress?.patients.flagged ?? 0) +
    (progress?.careRecords.failed ?? 0) +
    (progress?.careRecords.flagged ?? 0);
  await page.getByText(`${total} von ${total}`).waitFor();
  await page.getByLabel('Grund enthält').fill('Prüfziffer');
  await page.getByText(`1 von ${total}`).waitFor();
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Als CSV speichern' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe(`auffaelligkeiten-${progress?.runId}.csv`);
  const csv = readFileSync(await download.path(), 'utf8');
  const [, place] =
    /^\ufeff"Art";"Grund";"Pseudonym";"Eintrag";"Pseudonym vorher"\r\n"fehlerhafter Eintrag";"KVNR: falsche Prüfziffer";"";"(\d+)";""\r\n$/.exec(
      csv,
    ) ?? [];
  await page.getByRole('cell', { name: `Eintrag ${place}`, exact: true }).waitFor();
});

test('the report for the insurer is saved as CSV, of the shown run or of a period', async () => {
  const { page } = operator;
  const { runId = '' } = (await world.day.sync.readProgress()) ?? {};
  const save = async (button: string) => {
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: button }).click();
    const download = await downloading;
    return { name: download.suggestedFilename(), csv: readFileSync(await download.path(), 'utf8') };
  };
  const ofRun = await save('Bericht über diesen Lauf speichern');
  expect(ofRun.name).toBe(`bericht-krankenkasse-${runId}.csv`);
  expect(ofRun.csv).toMatch(/^\ufeff"Lauf";"Beginn";"Ende";"Anfrage";"Folge";"Problem";"Fundstelle";"Anzahl";"von";/);
  expect(ofRun.csv).toContain('"Liste";"Eintrag nicht übernommen";"falsche Prüfziffer";"$[*].kvnr";"1";');
  expect(ofRun.csv).toContain('"Liste oder Versorgungen";"Anfrage fehlgeschlagen und wiederholt";');
  await page.getByText(/^Gespeichert: \d+ verschiedene Probleme\.$/).waitFor();
  await page.getByLabel('Läufe ab').fill('2026-01-01');
  const ofPeriod = await save('Bericht über den Zeitraum speichern');
  expect(ofPeriod.name).toBe('bericht-krankenkasse-2026-01-01.csv');
  expect(ofPeriod.csv).toContain(runId);
});

test('an issue is acknowledged with a note, and can be filtered out', async () => {
  const { page } = operator;
  await page.getByRole('button', { name: 'Zur Kenntnis nehmen', exact: true }).click();
  await page.getByRole('textbox', { name: 'Notiz' }).fill('der Kasse gemeldet, Ticket 4711');
  await page.getByRole('alertdialog').getByRole('button', { name: 'Zur Kenntnis nehmen' }).click();
  await page.getByText(/^Zur Kenntnis genommen von .*demo-operator.*: der Kasse gemeldet, Ticket 4711$/).waitFor();
  await page.getByRole('combobox', { name: 'Zur Kenntnis genommen' }).selectOption('nein');
  await page.getByText('Keine Auffälligkeit passt zu diesem Filter.').waitFor();
});

test('50 000 issues are loaded, filtered and paged while the page stays responsive', async () => {
  const { page } = operator;
  const { runId = '' } = (await world.day.sync.readProgress()) ?? {};
  const many = Array.from({ length: 50_000 }, (_, position) => ({
    kind: 'quarantined' as const,
    reason: position % 2 === 0 ? 'birthDate: missing' : 'gender: missing',
    position: 1_000 + position,
  }));
  await world.day.stores.syncRuns.addIssues(insurerId, runId, many);
  await page.getByRole('link', { name: 'Läufe', exact: true }).click();
  await page
    .getByRole('link', { name: /Auffälligkeiten,/ })
    .first()
    .click();
  await page.getByText(/von 50\.0\d\d$/).waitFor({ timeout: 150_000 });
  await page.getByText(/\d geladen …/).waitFor({ state: 'detached' });
  const askedMs = performance.now();
  await page.getByLabel('Grund enthält').fill('Geschlecht: fehlt');
  await page.getByText(/^25\.00\d von 50\.0\d\d$/).waitFor();
  expect(performance.now() - askedMs).toBeLessThan(1_000);
  await page.getByRole('button', { name: 'Nächste Seite' }).click();
  await page.getByText(/Seite 2 von 25[01]/).waitFor();
  expect(await page.getByRole('row').count()).toBeLessThanOrEqual(101);
  await page.getByRole('button', { name: 'Vorherige Seite' }).click();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^Seite 1 von 25[01]$/);
  await page.getByLabel('Grund enthält').fill('');
  await page.getByRole('button', { name: /^Geburtsdatum: fehlt/ }).click();
  await page.getByText(/^25\.00\d von 50\.0\d\d$/).waitFor();
  expect(await page.getByLabel('Grund enthält').evaluate((field) => field === document.activeElement)).toBe(true);
});

test('removals above the limit wait for a decision, with their numbers, and are rejected', async () => {
  const { page } = operator;
  await page.getByRole('link', { name: 'Betrieb', exact: true }).click();
  world.day.insurer.nextDay({ new: 3 });
  world.day.insurer.setList('truncated');
  await page.getByRole('button', { name: 'Lauf starten' }).click();
  await page.getByRole('heading', { name: 'Entscheidung nötig' }).waitFor({ timeout: 60_000 });
  const { decision } = await world.day.until(({ awaitingDecision }) => awaitingDecision);
  await page.getByText(`${decision?.removals} von ${decision?.stored} Patienten`).waitFor();
  const stored = (await world.day.storedRefs()).length;
  await page.getByRole('button', { name: 'Entfernung ablehnen' }).click();
  await page.getByRole('heading', { name: 'Entscheidung nötig' }).waitFor({ state: 'detached' });
  await page.getByText('Niemand wird entfernt.').waitFor();
  await page.getByText('abgeschlossen').first().waitFor({ timeout: 60_000 });
  expect(decision?.removals).toBeGreaterThan(100);
  // this run finds some patients who are no longer insured, and removes them
  expect((await world.day.storedRefs()).length).toBeGreaterThan(stored - 20);
});

test('the refresh that follows a run is shown apart from the run, and can be stopped', async () => {
  const { page } = operator;
  const { syncRuns } = world.day.stores;
  const { runId = '' } = (await syncRuns.readProgress(insurerId)) ?? {};
  await page.getByText(/^Alter der gespeicherten in Tagen: höchstens 0, Median 0$/).waitFor();
  const refresh = { state: 'running', pending: 41, done: 3, unchanged: 17, failed: 0, removed: 0 } as const;
  await syncRuns.saveRefresh(insurerId, runId, 1, { refresh, unapprovedRemovals: 0 });
  await page.getByRole('heading', { name: 'Auffrischung älterer Versorgungen: läuft' }).waitFor({ timeout: 30_000 });
  await page.getByRole('definition').filter({ hasText: /^17$/ }).waitFor();
  await page.getByRole('button', { name: 'Auffrischung anhalten' }).waitFor();
  const cancellation = { by: 'olga', reason: 'die Kasse hat angerufen' };
  const stopped = { ...refresh, state: 'stopped', cancellation } as const;
  await syncRuns.saveRefresh(insurerId, runId, 2, { refresh: stopped, unapprovedRemovals: 0 });
  await page.getByText('Angehalten von olga: die Kasse hat angerufen').waitFor({ timeout: 30_000 });
  expect(await page.getByRole('button', { name: 'Auffrischung anhalten' }).count()).toBe(0);
});

test('a run is cancelled with a reason, which the list of runs shows', async () => {
  const { page } = operator;
  world.day.insurer.setList('normal');
  world.day.insurer.nextDay({ new: 200 });
  await page.getByRole('button', { name: 'Lauf starten' }).click();
  await page.locator('[aria-current=step]', { hasText: 'Versorgungen abrufen' }).waitFor({ timeout: 60_000 });
  await confirmWithReason(page, 'Lauf abbrechen', 'falsche Liste');
  await page.getByText('abgebrochen').first().waitFor({ timeout: 60_000 });
  await page.getByRole('link', { name: 'Läufe', exact: true }).click();
  await page.getByRole('row', { name: 'falsche Liste' }).waitFor(); // the overview shows the reason, too, but not in a row
  expect(await page.getByRole('row').count()).toBe(4);
  const charts = ['Dauer', 'gespeichert, fehlgeschlagen', 'unlesbare Daten, fehlgeschlagene Anfragen'];
  for (const name of charts) await page.getByRole('img', { name: new RegExp(`^${name}: \\d Läufe vom `) }).waitFor();
});

test('the console of the browser has no errors after all these tests', () => {
  expect(operator.consoleErrors.filter((text) => !/status of 404/.test(text))).toEqual([]);
});
