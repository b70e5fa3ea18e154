import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { signInAs, visit } from './browser.ts';
import { demoUserNames, startWorld } from './world.fixture.ts';

// `npm run screenshots` saves every page in .local/screenshots/: in both languages and themes, at desktop and phone width.
// It copies two of them to docs/images/, for the README and the guide.
const root = dirname(dirname(import.meta.dirname));
const outputFolder = join(root, '.local', 'screenshots');
const widths = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

rmSync(outputFolder, { recursive: true, force: true });
mkdirSync(outputFolder, { recursive: true });
await using world = await startWorld({ seed: 1, patients: 300, rate: 0.8, latencyMs: 20, slowShare: 0 });
await world.day.startWorker();
await world.day.sync.start();
await world.day.until(({ careRecords }) => careRecords.done > 60);
const [patient] = world.day.insurer
  .patients()
  .filter(
    ({ kind, isSpoiled, careRecords }) =>
      kind === 'ok' && !isSpoiled && (careRecords?.length ?? 0) > 1_500 && (careRecords?.length ?? 0) < 4_000,
  );
const { json } = await world.call('requestPatientSync', { body: { kvnr: patient?.kvnr } });
const patientRef: string = json.patientRef;
const { json: exported } = await world.call('startExport');
while ((await world.call('readExport', { params: { exportId: exported.exportId } })).json.state === 'running')
  await setTimeout(500);

/** The screens of each role. `ready` is a selector to wait for, and `act` runs before the screenshot. */
const screens: readonly (readonly [
  name: string,
  role: keyof typeof demoUserNames,
  hash: string,
  ready: string,
  act?: (page: Page) => Promise<void>,
])[] = [
  ['overview', 'operator', '#/overview', '.uplot', async (page) => await page.locator('.line-state').waitFor()],
  ['issues', 'operator', '#/issues', 'main table'],
  ['runs', 'operator', '#/runs', 'main table'],
  ['exports-of-operator', 'operator', '#/exports', 'main table'],
  ['exports', 'integration', '#/exports', 'main table'],
  [
    'export-files',
    'integration',
    '#/exports',
    'main table',
    async (page) => {
      await page.getByRole('link', { name: 'Dateien ansehen' }).click();
      await page.getByRole('heading', { name: 'Dateien des Exports' }).waitFor();
    },
  ],
  ['patient-of-operator', 'operator', `#/patient/${patientRef}`, '[data-sync]'],
  ['unknown', 'operator', '#/nowhere', 'main .notice'],
  ['runs-of-management', 'management', '#/runs', 'main table'],
  ['progress', 'management', '#/progress', '.uplot', async (page) => await page.locator('.line-state').waitFor()],
  ['find-patient', 'clinician', '#/patient', 'main form'],
  ['patient', 'clinician', `#/patient/${patientRef}`, '.records'],
  ['find-log', 'auditor', '#/access-log', 'main form'],
  [
    'access-log',
    'auditor',
    `#/access-log/${patientRef}`,
    'main table',
    async (page) => {
      await page.getByRole('button', { name: 'Kette prüfen' }).click();
      await page.getByText('unversehrt').waitFor();
    },
  ],
];

type TakeScreenshot = (page: Page, name: string) => Promise<unknown>;

/** Runs `visitLayout` for each width and theme. The function that it gets takes one screenshot in each language. */
async function forEachLayout(
  visitLayout: (options: BrowserContextOptions, takeScreenshot: TakeScreenshot) => Promise<void>,
): Promise<void> {
  for (const [width, viewport] of Object.entries(widths))
    for (const colorScheme of ['light', 'dark'] as const)
      await visitLayout({ viewport, colorScheme, reducedMotion: 'reduce' }, async (page, name) => {
        const language = page.locator('header select').nth(0);
        for (const [code, suffix] of [
          ['en', '-en'],
          ['de', ''],
        ] as const) {
          await language.selectOption(code, { force: true }); // a dialog makes the header inert
          await page.screenshot({
            path: join(outputFolder, `${name}-${width}-${colorScheme}${suffix}.png`),
            fullPage: true,
          });
        }
      });
}

await forEachLayout(async (options, takeScreenshot) => {
  for (const role of Object.keys(demoUserNames) as (keyof typeof demoUserNames)[]) {
    const { page } = await visit(world.browser, world.url, options);
    await page.getByRole('button', { name: 'Anmelden' }).waitFor();
    if (role === 'operator') await takeScreenshot(page, 'sign-in');
    await signInAs(page, demoUserNames[role]);
    for (const [name, whose, hash, ready, act] of screens) {
      if (whose !== role) continue;
      await page.goto(world.url + hash);
      await page.locator(ready).first().waitFor();
      await act?.(page);
      await page.waitForTimeout(300);
      await takeScreenshot(page, name);
    }
    if (role === 'operator') {
      await page.goto(`${world.url}#/overview`);
      await page.getByRole('button', { name: 'Leitung pausieren' }).click();
      await page.getByRole('textbox', { name: 'Grund' }).fill('Wartung bei der Kasse bis 14 Uhr');
      await takeScreenshot(page, 'pause-dialog');
      await page.getByRole('alertdialog').getByRole('button', { name: 'Leitung pausieren' }).click();
      await page.locator('[data-status=silent]').waitFor();
      await takeScreenshot(page, 'paused');
      await page.getByRole('button', { name: 'Leitung öffnen' }).click();
      await page.getByRole('textbox', { name: 'Grund' }).fill('Wartung beendet');
      await page.getByRole('alertdialog').getByRole('button', { name: 'Leitung öffnen' }).click();
      await page.locator('[data-status=open]').waitFor();
      await page.context().setOffline(true);
      await page.locator('.card.stale').first().waitFor();
      await takeScreenshot(page, 'stale');
    }
    await page.context().close();
  }
});

world.day.insurer.nextDay({ new: 1 });
world.day.insurer.setList('truncated');
await world.day.sync.start();
await world.day.until(({ awaitingDecision }) => awaitingDecision);
await forEachLayout(async (options, takeScreenshot) => {
  const { page } = await visit(world.browser, world.url, options);
  await signInAs(page, demoUserNames.operator);
  await page.getByRole('heading', { name: 'Entscheidung nötig' }).waitFor();
  await takeScreenshot(page, 'removals');
  await page.getByRole('button', { name: 'Entfernung genehmigen' }).click();
  await page.getByRole('alertdialog').waitFor();
  await takeScreenshot(page, 'removals-dialog');
  await page.context().close();
});
mkdirSync(join(root, 'docs', 'images'), { recursive: true });
copyFileSync(join(outputFolder, 'overview-desk-light.png'), join(root, 'docs', 'images', 'console-overview.png'));
copyFileSync(join(outputFolder, 'patient-desk-light.png'), join(root, 'docs', 'images', 'console-patient.png'));
process.stdout.write(`${outputFolder}\n`);
