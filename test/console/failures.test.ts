import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signInAs, visit } from './browser.ts';
import { type ConsoleWorld, people, startWorld } from './world.fixture.ts';

const tokenSeconds = 6;

let world: ConsoleWorld;
beforeAll(async () => {
  world = await startWorld({ patients: 20, rate: 0, latencyMs: 2 }, { tokenSeconds });
  await world.day.startWorker();
  await world.day.runToEnd();
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

test('a token that ends is renewed without a word; once the session is over, the page says so and keeps what it shows', async () => {
  const { page } = await visit(world.browser, world.url);
  const answered: number[] = [];
  page.on('response', (response) => {
    if (new URL(response.url()).pathname.endsWith('/line')) answered.push(response.status());
  });
  await signInAs(page, people.operator);
  await page.getByText('abgeschlossen').first().waitFor();
  await sleep((tokenSeconds + 2) * 1_000);
  expect(answered.slice(1).filter((status) => status !== 200)).toEqual([]);
  expect(await page.getByText('abgelaufen').count()).toBe(0);

  const other = await page.context().newPage(); // signs out there
  await other.goto(world.url);
  await other.getByRole('button', { name: 'Anmelden' }).click(); // the issuer knows who it is
  await other.getByRole('button', { name: 'Abmelden' }).click();
  await other.getByRole('button', { name: 'Anmelden' }).waitFor();
  await page.getByText('Ihre Anmeldung ist abgelaufen').waitFor({ timeout: 30_000 });
  await page.getByText('abgeschlossen').first().waitFor();
  await page.getByRole('button', { name: 'Neu anmelden' }).click();
  await page.getByRole('button', { name: people.operator }).click();
  await page.getByText('abgeschlossen').first().waitFor();
  await page.context().close();
});

test('a hidden tab asks nothing', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, people.operator);
  await page.getByText('abgeschlossen').first().waitFor();
  let asked = 0;
  page.on('request', (request) => {
    if (/\/(line|sync)$/.test(new URL(request.url()).pathname)) asked += 1;
  });
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  await sleep(500);
  asked = 0;
  await sleep(3_000);
  expect(asked).toBe(0);
  await page.context().close();
});

test('when the API is gone the page says so and shows the last state as old, and goes on once it is back', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, people.management);
  await page.getByText('abgeschlossen').first().waitFor();
  await page.context().setOffline(true); // nothing of the network is reached any more
  await page.getByText('Der Dienst antwortet nicht.').waitFor();
  await page.getByText(/Zu sehen ist der Stand von \d\d:\d\d:\d\d/).waitFor();
  await page.getByText('abgeschlossen').first().waitFor();
  await expect.poll(async () => await page.locator('.card.old').count(), { timeout: 10_000 }).toBe(2);
  await page.context().setOffline(false);
  await page.getByText('Der Dienst antwortet nicht.').waitFor({ state: 'detached', timeout: 60_000 });
  await expect.poll(async () => await page.locator('.card.old').count(), { timeout: 40_000 }).toBe(0);
  await page.context().close();
});
