import { afterAll, beforeAll, expect, test } from 'vitest';
import { signInAs, visit } from './browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from './world.fixture.ts';

const patients = 12;
const everyoneIsInsured = { notInsuredShare: 0, unknownShare: 0, newlyInsured: 2 };

let world: ConsoleWorld;
beforeAll(async () => {
  world = await startWorld({ patients, rate: 0, malformedEntries: 0, ...everyoneIsInsured });
  await world.day.startWorker();
  await world.day.runToEnd();
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

const german = {
  language: 'de',
  number: 'Versichertennummer',
  find: 'Suchen',
  ask: 'Krankenkasse fragen',
  title: 'Noch nicht auf der Liste',
  hint: 'Die Stammdaten kommen mit der nächsten Liste.',
  records: 'Versorgungen',
  another: 'Anderen Patienten suchen',
  unknown: 'Die Krankenkasse kennt diese Nummer nicht.',
};
const english: typeof german = {
  language: 'en',
  number: 'Insurance number',
  find: 'Find',
  ask: 'Ask the insurer',
  title: 'Not on the list yet',
  hint: 'The master data come with the next list.',
  records: 'Care records',
  another: 'Find another patient',
  unknown: 'The insurer does not know this number.',
};

test.each([
  [german, patients],
  [english, patients + 1],
])('a clinician asks about somebody who is not on the list, in $language', async (words, newcomer) => {
  const { page } = await visit(world.browser, world.url);
  await page.addInitScript((language) => localStorage.setItem('epa-sync.language', language), words.language);
  await page.reload();
  const addresses: string[] = [];
  page.on('request', (request) => addresses.push(request.url()));
  await signInAs(page, demoUserNames.clinician);
  const askAbout = async (kvnr: string): Promise<void> => {
    await page.getByLabel(words.number).fill(kvnr);
    await page.getByRole('button', { name: words.find }).click();
    await page.getByRole('button', { name: words.ask }).waitFor();
    await page.getByRole('button', { name: words.ask }).click();
  };
  const kvnr = world.day.insurer.world.kvnrAt(newcomer);
  await askAbout(kvnr);
  await page.getByRole('heading', { level: 1, name: words.title }).waitFor();
  await page.getByText(words.hint).first().waitFor();
  await page.getByRole('heading', { name: words.records }).waitFor();
  await page.getByText(kvnr).waitFor();
  await page.getByRole('button', { name: words.another }).click();
  const unknown = world.day.insurer.world.kvnrAt(7_000 + newcomer);
  await askAbout(unknown);
  await page.getByText(words.unknown).waitFor();
  const requests = addresses.length;
  await page.waitForTimeout(2_000);
  expect(addresses.length).toBe(requests); // each request would be an access entry
  await page.getByText(words.unknown).waitFor();
  expect(addresses.filter((address) => address.includes(kvnr) || address.includes(unknown))).toEqual([]);
  await page.context().close();
});
