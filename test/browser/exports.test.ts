import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningWorker } from '../day.fixture.ts';
import { hideTab, signInAs, visit } from './browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from './world.fixture.ts';

let world: ConsoleWorld;
let worker: RunningWorker;
beforeAll(async () => {
  world = await startWorld({ patients: 40, rate: 0, latencyMs: 2, notInsuredShare: 0 });
  worker = await world.day.startWorker();
  await world.day.runToEnd();
  await worker.kill(); // an export waits for the next worker
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

async function openExportsAs(role: 'integration' | 'operator'): Promise<Page> {
  const { page } = await visit(world.browser, `${world.url}#/exports`);
  await signInAs(page, demoUserNames[role]);
  await page.getByRole('heading', { level: 1, name: 'Exporte' }).waitFor();
  return page;
}

async function startExport(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Export starten' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Export starten' }).click();
}

test('the role of another system starts an export, and the page says in plain words that a second one must wait', async () => {
  const page = await openExportsAs('integration');
  await page.getByText('Es gab noch keinen Export.').waitFor();
  await startExport(page);
  await page.getByText('Der Export läuft. Er geht weiter').waitFor();
  await page.getByRole('progressbar', { name: 'Fortschritt des Exports' }).waitFor();
  await page.getByText('Data warehouse (demo-integration)').waitFor();
  await startExport(page);
  await page.getByRole('alert').getByText('Ein anderer Export läuft noch.').waitFor();
  expect(await page.locator('tbody tr').count()).toBe(1);
  await page.context().close();
});

test('a hidden tab does not ask about an export in progress', async () => {
  const page = await openExportsAs('operator');
  await page.getByText('läuft', { exact: true }).waitFor();
  let requests = 0;
  page.on('request', (request) => {
    if (/\/exports$/.test(new URL(request.url()).pathname)) requests += 1;
  });
  await expect.poll(() => requests, { timeout: 10_000 }).toBeGreaterThan(0);
  await hideTab(page);
  await sleep(500);
  requests = 0;
  await sleep(5_000);
  expect(requests).toBe(0);
  await page.context().close();
});

test('an operator pauses an export, but cannot start one; the caller sees who it was, and resumes it', async () => {
  const operator = await openExportsAs('operator');
  expect(await operator.getByRole('button', { name: 'Export starten' }).count()).toBe(0);
  await operator.getByRole('button', { name: 'Pausieren' }).click();
  await operator.getByText('Der Export pausiert, sobald').waitFor();
  await operator.getByText('pausiert', { exact: true }).waitFor();
  await operator.context().close();

  const page = await openExportsAs('integration');
  await page.getByText(/^Zuletzt geändert: Jonas Brandt \(demo-operator\)/).waitFor();
  const button = page.getByRole('button', { name: 'Fortsetzen' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.getByText('Der Export geht weiter').waitFor();
  // the same button pauses it now, and still has the focus
  const focused = async () => await page.evaluate(() => document.activeElement?.textContent);
  await expect.poll(focused, { timeout: 10_000 }).toBe('Pausieren');
  await page.context().close();
});

test('once the export is completed, the caller downloads a file, which is as it was written', async () => {
  const page = await openExportsAs('integration');
  await page.getByText('läuft', { exact: true }).waitFor();
  worker = await world.day.startWorker();
  await page.getByText('abgeschlossen', { exact: true }).waitFor({ timeout: 60_000 });
  await page.getByRole('link', { name: /^Dateien ansehen/ }).click();
  await page.getByRole('heading', { level: 1, name: /^Dateien des Exports/ }).waitFor();
  await page.getByText(/^Abrufbar bis .*\. Die Links gelten bis \d\d:\d\d:\d\d\./).waitFor();
  const row = page.getByRole('row', { name: /^Patient-00001\.ndjson/ });
  const stored = await world.day.storedRefs();
  expect(await row.getByRole('cell').first().textContent()).toBe(`${stored.length} Patient`);
  const downloading = page.waitForEvent('download');
  await row.getByRole('button', { name: 'Herunterladen' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe('Patient-00001.ndjson');
  const file = readFileSync(await download.path(), 'utf8');
  expect(createHash('sha256').update(file).digest('hex')).toBe(await row.locator('code').textContent());
  const ids = file
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).id);
  expect(ids).toEqual([...stored].sort());
  await page.context().close();
});

test('a file that arrives damaged is not saved, and the page says so', async () => {
  const page = await openExportsAs('integration');
  await page.route(/\/exports\/[^/]+\/Coverage\//, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).slice(1) });
  });
  await page.getByRole('link', { name: /^Dateien ansehen/ }).click();
  const downloads: unknown[] = [];
  page.on('download', (download) => downloads.push(download));
  await page.getByRole('button', { name: /^Herunterladen.*Coverage/ }).click();
  await page.getByRole('alert').getByText('nicht so angekommen').waitFor();
  expect(downloads).toEqual([]);
  await page.context().close();
});

test('an operator gets no files of a completed export, and deletes them with the keyboard alone', async () => {
  const page = await openExportsAs('operator');
  expect(await page.getByRole('link', { name: /^Dateien ansehen/ }).count()).toBe(0);
  const [newest] = (await world.call('listExports')).json.exports;
  await page.goto(`${world.url}#/exports/${newest.exportId}`);
  await page.getByText('Nur wer den Export gestartet hat').waitFor();
  await page.getByRole('link', { name: 'Alle Exporte' }).click();
  await page.getByRole('button', { name: /^Dateien löschen/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog').waitFor();
  await page.keyboard.press('Tab'); // the dialog begins on the button that goes back
  await page.keyboard.press('Enter');
  await page.getByText('Die Dateien werden gelöscht.').waitFor();
  await page.getByText('Dateien gelöscht', { exact: true }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Exporte');
  await expect.poll(async () => await world.day.keysUnder('exports/'), { timeout: 30_000 }).toEqual([]);
  await page.context().close();
});
