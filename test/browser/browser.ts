import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Nothing of ours, and nothing that speaks to anyone but the page's own peers. */
const chromiumFlags = [
  '--headless',
  '--no-sandbox', // in a container there are no user namespaces to make one of
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Debian's Chromium, or the one at CHROMIUM_PATH. */
const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Installs Debian's Chromium where it is missing and we may. */
export function ensureChromium(): void {
  if (existsSync(executablePath)) return;
  const apt = (...args: string[]) => execFileSync('apt-get', args, { stdio: ['ignore', 2, 2] });
  try {
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core');
  } catch (error) {
    throw new Error(`no Chromium at ${executablePath}: install it, or set CHROMIUM_PATH`, { cause: error });
  }
}

export async function openBrowser(): Promise<Browser> {
  ensureChromium();
  return await chromium.launch({ executablePath, args: chromiumFlags });
}

export interface Visit {
  readonly page: Page;
  /** what the console of the page said that it should not: errors, refusals of the policy */
  readonly consoleErrors: readonly string[];
}

/** A fresh profile on the console, not signed in. */
export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ locale: 'de-DE', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const consoleErrors: string[] = [];
  page.on('pageerror', (error) => consoleErrors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(message.text());
  });
  await page.goto(url);
  return { page, consoleErrors };
}

/** By the issuer's page, a click per demo user. */
export async function signInAs(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: /^(Anmelden|Sign in)$/ }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('button', { name: /^(Abmelden|Sign out)$/ }).waitFor();
}
