import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hideTab, signInAs, visit } from './browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from './world.fixture.ts';

const tokenSeconds = 6;

let world: ConsoleWorld;
beforeAll(async () => {
  world = await startWorld({ patients: 20, rate: 0, latencyMs: 2 }, { tokenSeconds });
  await world.day.startWorker();
  await world.day.runToEnd();
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

test('an expiring token is renewed silently; when the session has ended, the page says so and keeps its data', async () => {
  const { page } = await visit(world.browser, world.url);
  const answered: number[] = [];
  page.on('response', (response) => {
    if (new URL(response.url()).pathname.endsWith('/line')) answered.push(response.status());
  });
  await signInAs(page, demoUserNames.operator);
  await page.getByText('abgeschlossen').first().waitFor();
  await sleep((tokenSeconds + 2) * 1_000);
  expect(answered.slice(1).filter((status) => status !== 200)).toEqual([]);
  expect(await page.getByText('abgelaufen').count()).toBe(0);

  const other = await page.context().newPage(); // signs out in this tab
  await other.goto(world.url);
  await other.getByRole('button', { name: 'Anmelden' }).click(); // the issuer still has a session
  await other.getByRole('button', { name: 'Abmelden' }).click();
  await other.getByRole('button', { name: 'Anmelden' }).waitFor();
  await page.getByText('Ihre Anmeldung ist abgelaufen').waitFor({ timeout: 30_000 });
  await page.getByText('abgeschlossen').first().waitFor();
  await page.getByRole('button', { name: 'Neu anmelden' }).click();
  await page.getByRole('button', { name: demoUserNames.operator }).click();
  await page.getByText('abgeschlossen').first().waitFor();
  await page.context().close();
});

test('a session survives an issuer that fails for a while', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.operator);
  let requests = 0;
  await page.route('**/token', async (route) => {
    const response = await route.fetch();
    if (route.request().method() === 'POST') requests += 1;
    await route.fulfill({ response, status: 500, json: { error: 'server_error' } });
  });
  await sleep((tokenSeconds + 3) * 1_000);
  expect(requests).toBeGreaterThan(0);
  expect(requests).toBeLessThan(20); // one timer, and the requests that are rejected meanwhile
  expect(await page.getByText('Ihre Anmeldung ist abgelaufen').count()).toBe(0);
  await page.unroute('**/token');
  await page.getByText('abgeschlossen').first().waitFor();
  await expect.poll(async () => await page.getByRole('alert').count(), { timeout: 20_000 }).toBe(0);
  await page.context().close();
});

test('a reload after the session has ended returns to the same page after sign-in', async () => {
  const { page } = await visit(world.browser, `${world.url}#/runs`);
  await page.evaluate(() => sessionStorage.setItem('epa-sync.was-signed-in', ''));
  await page.reload();
  await page.getByRole('button', { name: 'Anmelden' }).waitFor();
  expect(new URL(page.url()).hash).toBe('#/runs');
  expect(await page.getByRole('alert').count()).toBe(0);
  await signInAs(page, demoUserNames.operator);
  await page.getByRole('heading', { level: 1, name: 'Läufe' }).waitFor();
  await page.context().close();
});

test('a hidden tab sends no requests', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.operator);
  await page.getByText('abgeschlossen').first().waitFor();
  let requests = 0;
  page.on('request', (request) => {
    if (/\/(line|sync)$/.test(new URL(request.url()).pathname)) requests += 1;
  });
  await hideTab(page);
  await sleep(500);
  requests = 0;
  await sleep(3_000);
  expect(requests).toBe(0);
  await page.context().close();
});

test('when the API does not answer, the page says so and marks its data as out of date, until the API answers again', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.management);
  await page.getByText('abgeschlossen').first().waitFor();
  await page.context().setOffline(true); // every request fails
  await page.getByText('Der Dienst antwortet nicht.').waitFor();
  await page.getByText(/Sie sehen den Stand von \d\d:\d\d:\d\d/).waitFor();
  await page.getByText('abgeschlossen').first().waitFor();
  await expect.poll(async () => await page.locator('.card.stale').count(), { timeout: 10_000 }).toBe(2);
  await page.context().setOffline(false);
  await page.getByText('Der Dienst antwortet nicht.').waitFor({ state: 'detached', timeout: 60_000 });
  await expect.poll(async () => await page.locator('.card.stale').count(), { timeout: 40_000 }).toBe(0);
  await page.context().close();
});

/** Opens a patient's record as a clinician, and returns the patientRef. */
async function openPatientRecord(page: Page): Promise<string> {
  const [patientRef = ''] = await world.day.storedRefs();
  await page.goto(`${world.url}#/patient/${patientRef}`);
  await signInAs(page, demoUserNames.clinician);
  return patientRef;
}

test('sign-out removes all data immediately, even if the issuer has no sign-out', async () => {
  const { page } = await visit(world.browser, world.url);
  await page.route('**/.well-known/openid-configuration', async (route) => {
    const response = await route.fetch();
    const { end_session_endpoint: _, ...metadata } = (await response.json()) as Record<string, unknown>;
    await route.fulfill({ response, json: metadata });
  });
  await openPatientRecord(page);
  await page.getByRole('heading', { name: 'Versorgungen' }).waitFor();
  await page.getByRole('button', { name: 'Abmelden' }).click();
  await page.getByRole('button', { name: 'Anmelden' }).waitFor();
  expect(await page.locator('.card').count()).toBe(1);
  expect(new URL(page.url()).hash).toBe('');
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.goBack();
  await sleep(1_000);
  expect(await page.getByRole('heading', { name: 'Versorgungen' }).count()).toBe(0);
  expect(requests.filter((url) => url.includes('/patients/'))).toEqual([]);
  await page.context().close();
});

test('a page from the back/forward cache is reloaded', async () => {
  const { page } = await visit(world.browser, world.url);
  const loading = page.waitForEvent('load');
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await loading;
  await page.getByRole('button', { name: 'Anmelden' }).waitFor();
  await page.context().close();
});

test('if a deployment has removed the file of the chart, the rest of the page works: the line can be paused', async () => {
  const { page } = await visit(world.browser, world.url);
  await page.route('**/assets/run-chart*', async (route) => await route.fulfill({ status: 404 }));
  await signInAs(page, demoUserNames.operator);
  await page.getByText('Das Diagramm kann nicht angezeigt werden.').waitFor();
  await page.getByText('abgeschlossen').first().waitFor();
  expect(await page.getByRole('button', { name: 'Leitung pausieren' }).isEnabled()).toBe(true);
  await page.context().close();
});

test('the error of an unconfirmed pause disappears when the line becomes silent', async () => {
  const { page } = await visit(world.browser, world.url);
  await page.route('**/line/pause', async (route) => {
    const response = await route.fetch();
    if (route.request().method() !== 'POST') return await route.fulfill({ response });
    return await route.fulfill({ response, status: 503, json: { type: 'urn:epa-sync:problem:line-not-silent' } });
  });
  await signInAs(page, demoUserNames.operator);
  await page.getByRole('button', { name: 'Leitung pausieren' }).click();
  const dialog = page.getByRole('alertdialog');
  await dialog.getByRole('textbox').fill('Probe');
  await dialog.getByRole('button', { name: 'Leitung pausieren' }).click();
  await page.getByText('Still seit').waitFor();
  await sleep(1_500);
  expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
  await world.day.line.resume({ operator: 'olga', reason: 'done' });
  await page.locator('[data-status=open]').waitFor();
  expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
  await page.context().close();
});

test('reading a record is retried after a transient error, and the page says so; a rejection is final', async () => {
  const { page } = await visit(world.browser, world.url);
  let answer: { status: number; problem: string } | undefined = { status: 503, problem: 'storage-unavailable' };
  let requests = 0;
  await page.route(/\/patients\/[0-9a-f]{32}$/, async (route) => {
    const response = await route.fetch();
    if (answer === undefined || route.request().method() !== 'GET') return await route.fulfill({ response });
    requests += 1;
    return await route.fulfill({
      response,
      status: answer.status,
      json: { type: `urn:epa-sync:problem:${answer.problem}` },
    });
  });
  await openPatientRecord(page);
  await page.getByText('Die Seite versucht es weiter.').waitFor();
  await expect.poll(() => requests, { timeout: 10_000 }).toBeGreaterThan(1);
  answer = undefined;
  await page.getByRole('heading', { name: 'Versorgungen' }).waitFor();
  expect(await page.getByText('Die Seite versucht es weiter.').count()).toBe(0);

  answer = { status: 403, problem: 'forbidden' };
  await page.reload();
  await page.getByText('Ihre Rolle ist dazu nicht berechtigt.').waitFor();
  requests = 0;
  await sleep(3_000);
  expect(requests).toBe(0);
  expect(await page.getByText('Die Seite versucht es weiter.').count()).toBe(0);
  await page.context().close();
});
