import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { signInAs, visit } from '../browser.ts';
import { type ConsoleWorld, demoUserNames, startWorld } from '../world.fixture.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let world: ConsoleWorld;
let patientRef: string;
let exportId: string;
beforeAll(async () => {
  world = await startWorld({ patients: 30, rate: 0.8, latencyMs: 2, slowShare: 0, malformedEntries: 20 });
  const worker = await world.day.startWorker();
  await world.day.runToEnd();
  exportId = (await world.call('startExport')).json.exportId;
  const isEnded = async () => (await world.call('readExport', { params: { exportId } })).json.state === 'completed';
  await vi.waitUntil(isEnded, { timeout: 60_000, interval: 250 });
  await worker.kill(); // the next one is paused before it can end
  const { json: next } = await world.call('startExport');
  await world.call('pauseExport', { params: { exportId: next.exportId } });
  await world.day.startWorker();
  const [found] = world.day.insurer.patients().filter(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled);
  const { json } = await world.call('requestPatientSync', { body: { kvnr: found?.kvnr } });
  patientRef = json.patientRef;
});
afterAll(async () => await world?.[Symbol.asyncDispose]());

/** The pages of each role, each with the selector to wait for. */
const pagesOf = {
  operator: [
    ['overview', 'main .steps'],
    ['issues', 'main table'],
    ['runs', 'main table'],
    ['patient', 'main form'],
    ['patient/REF', 'main [data-sync]'],
    ['exports', 'main .badge.paused'],
    ['nowhere', 'main .notice'],
  ],
  management: [
    ['progress', 'main .steps'],
    ['runs', 'main table'],
  ],
  clinician: [
    ['patient', 'main form'],
    ['patient/REF', 'main .records'],
  ],
  auditor: [
    ['access-log', 'main form'],
    ['access-log/REF', 'main table'],
  ],
  integration: [
    ['exports', 'main .badge.paused'],
    ['exports/EXPORT', 'main table'],
  ],
} as const;
const roles = Object.keys(pagesOf) as (keyof typeof pagesOf)[];

async function forEachPage(
  page: Page,
  role: keyof typeof pagesOf,
  check: (name: string) => Promise<void>,
): Promise<void> {
  for (const [name, ready] of pagesOf[role]) {
    await page.goto(`${world.url}#/${name.replace('REF', patientRef).replace('EXPORT', exportId)}`);
    await page.locator(ready).first().waitFor();
    for (const details of await page.locator('main details').all())
      await details.evaluate((each) => each.setAttribute('open', ''));
    await check(name);
  }
}

/** Returns the violations that axe finds on a page: rule, element and explanation. */
async function violationsOn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { target: unknown; failureSummary: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`),
    );
  });
}

/** Selects both languages and themes in the page's header. */
async function forEachLanguageAndTheme(page: Page, check: (name: string) => Promise<void>): Promise<void> {
  for (const language of ['de', 'en'])
    for (const theme of ['light', 'dark']) {
      await page.locator('header select').nth(0).selectOption(language);
      await page.locator('header select').nth(1).selectOption(theme);
      await check(`${language} ${theme}`);
    }
}

/** Returns the violations in all languages and themes. */
async function violationsInAllLanguagesAndThemes(page: Page): Promise<readonly string[]> {
  const found: string[] = [];
  await forEachLanguageAndTheme(page, async (appearance) => {
    for (const violation of await violationsOn(page)) found.push(`${appearance}: ${violation}`);
  });
  return found;
}

/** Without animations, because an element that fades in lacks contrast for a moment. */
const withoutMotion = { reducedMotion: 'reduce' } as const;

test.each(roles)('axe finds no violations on the pages of the role %s, in both themes and languages', async (role) => {
  const { page } = await visit(world.browser, world.url, withoutMotion);
  await signInAs(page, demoUserNames[role]);
  const found: string[] = [];
  await forEachLanguageAndTheme(page, async (appearance) => {
    await forEachPage(page, role, async (name) => {
      for (const violation of await violationsOn(page)) found.push(`${name} ${appearance}: ${violation}`);
    });
  });
  expect(found).toEqual([]);
  await page.context().close();
});

test('axe finds no violations on the sign-in page, and on the page of a user without a role', async () => {
  const { page } = await visit(world.browser, world.url, withoutMotion);
  await page.getByRole('button', { name: 'Anmelden' }).waitFor();
  expect(await violationsInAllLanguagesAndThemes(page)).toEqual([]);
  await page.route('**/token', async (route) => {
    const response = await route.fetch();
    const { id_token, access_token, ...answer } = await response.json();
    const tokens = { id_token: withoutRoles(id_token), access_token: withoutRoles(access_token) };
    await route.fulfill({ response, json: { ...answer, ...tokens } });
  });
  await signInAs(page, demoUserNames.operator);
  await page.getByText(/no role in epa-sync/).waitFor();
  expect(await violationsInAllLanguagesAndThemes(page)).toEqual([]);
  await page.context().close();
});

/** Removes the roles from a token. The page does not check signatures, because it gets tokens from the issuer directly. */
function withoutRoles(token: string): string {
  const [head, body = '', signature] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), roles: [] };
  return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

test.each([
  ['de-DE', 'Anmelden als'],
  ['en-GB', 'Sign in as'],
])(
  "axe finds no violations on the local issuer's page, which has the language of the browser (%s)",
  async (locale, title) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await visit(world.browser, world.url, { locale, colorScheme });
      await page.getByRole('button', { name: 'Anmelden' }).click();
      await page.getByRole('heading', { name: title }).waitFor();
      expect(await violationsOn(page)).toEqual([]);
      await page.context().close();
    }
  },
);

test('axe finds no violations on data that is marked as out of date', async () => {
  const { page } = await visit(world.browser, world.url, withoutMotion);
  await signInAs(page, demoUserNames.operator);
  await page.locator('main .steps').waitFor();
  await page.context().setOffline(true);
  await page.locator('.card.stale').first().waitFor();
  expect(await violationsInAllLanguagesAndThemes(page)).toEqual([]);
  await page.context().close();
});

test.each(roles)('no page of the role %s is wider than a phone, and axe finds no violations there', async (role) => {
  const { page, consoleErrors } = await visit(world.browser, world.url, {
    ...withoutMotion,
    viewport: { width: 390, height: 844 },
  });
  await signInAs(page, demoUserNames[role]);
  await forEachPage(page, role, async (name) => {
    expect([name, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([name, 390]);
    expect([name, await violationsOn(page)]).toEqual([name, []]);
  });
  expect(consoleErrors.filter((text) => !/status of 404/.test(text))).toEqual([]);
  await page.context().close();
});

test('with the keyboard alone, an operator pauses and resumes the line, and axe finds no violations on the dialog', async () => {
  const { page } = await visit(world.browser, world.url);
  await signInAs(page, demoUserNames.operator);
  await page.locator('[data-status=open]').waitFor();
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
    }
    throw new Error(`30 presses of Tab do not reach ${name}`);
  };
  await tabTo('Leitung pausieren');
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog').waitFor();
  for (let presses = 0; presses < 6; presses++) {
    await page.keyboard.press('Tab'); // never reaches the page behind the dialog
    expect(await page.evaluate(() => document.activeElement?.matches('dialog *, body'))).toBe(true);
  }
  await page.keyboard.press('Escape');
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Leitung pausieren');
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog').waitFor();
  expect(await violationsOn(page)).toEqual([]);
  await page.keyboard.press('Enter'); // without a reason
  await page.getByText('Bitte geben Sie einen Grund ein.').waitFor();
  await page.keyboard.type('Umzug des Modems');
  await page.keyboard.press('Enter');
  await page.locator('[data-status=silent]').waitFor();
  expect(await violationsOn(page)).toEqual([]);
  await tabTo('Leitung öffnen');
  await page.keyboard.press('Enter');
  await page.keyboard.type('steht');
  await page.keyboard.press('Enter');
  await page.locator('[data-status=open]').waitFor();
  await page.context().close();
});

test('all scripts together have at most 200 KB, compressed with gzip', () => {
  const files = readdirSync(join(world.dir, 'assets')).filter((name) => name.endsWith('.js'));
  const sizes = files.map((name) => gzipSync(readFileSync(join(world.dir, 'assets', name)), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(200_000);
});

/** Returns the time of the largest contentful paint so far, in milliseconds since the navigation. */
const largestContentfulPaintMs = async (page: Page): Promise<number> =>
  await page.evaluate(
    async () =>
      await new Promise<number>((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime ?? Number.NaN)).observe({
          type: 'largest-contentful-paint',
          buffered: true,
        });
      }),
  );

test('the largest contentful paint takes less than 1.5 s, before and after sign-in', async () => {
  const { page } = await visit(world.browser, world.url);
  expect(await largestContentfulPaintMs(page)).toBeLessThan(1_500);
  await signInAs(page, demoUserNames.operator);
  await page.locator('main .steps').waitFor();
  expect(await largestContentfulPaintMs(page)).toBeLessThan(1_500);
  await page.context().close();
});

test('axe finds no violations on the decision about removals, and on its dialog', async () => {
  world.day.insurer.nextDay({ new: 1 });
  world.day.insurer.setList('empty'); // a truncated list would stay below the removal guard's limit: there are few patients
  await world.day.sync.start();
  await world.day.until(({ awaitingDecision }) => awaitingDecision);
  const { page } = await visit(world.browser, world.url, withoutMotion);
  await signInAs(page, demoUserNames.operator);
  await page.getByRole('heading', { name: 'Entscheidung nötig' }).waitFor();
  const found = [...(await violationsInAllLanguagesAndThemes(page))];
  await forEachLanguageAndTheme(page, async (appearance) => {
    await page.getByRole('button', { name: /^(Entfernung genehmigen|Approve removals)$/ }).click();
    await page.getByRole('alertdialog').waitFor();
    for (const violation of await violationsOn(page)) found.push(`dialog ${appearance}: ${violation}`);
    await page.keyboard.press('Escape');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  });
  expect(found).toEqual([]);
  await page.context().close();
});

test('every file is served with a strict Content-Security-Policy, and no other file is served', async () => {
  for (const path of ['', 'config.json', 'icon.svg']) {
    const { status, headers } = await fetch(world.url + path);
    expect(status).toBe(200);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|data:/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  expect((await fetch(`${world.url}../package.json`)).status).toBe(404);
  expect((await fetch(`${world.url}%2e%2e/%2e%2e/stack.json`)).status).toBe(404);
});
