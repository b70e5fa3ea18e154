import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Turns off services of the browser that would connect to other hosts. */
const chromiumFlags = [
  '--headless',
  '--no-sandbox', // the sandbox needs user namespaces, which containers lack
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** CHROMIUM_PATH; by default, Debian's Chromium. */
const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Installs Debian's Chromium if it is missing. @throws Error if that is not permitted or fails */
export function ensureChromium(): void {
  if (existsSync(executablePath)) return;
  const apt = (...args: string[]) => execFileSync('apt-get', args, { stdio: ['ignore', 2, 2] });
  try {
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core');
  } catch (error) {
    throw new Error(`no Chromium at ${executablePath}. Install it, or set CHROMIUM_PATH.`, { cause: error });
  }
}

export async function openBrowser(): Promise<Browser> {
  ensureChromium();
  return await chromium.launch({ executablePath, args: chromiumFlags });
}

export interface Visit {
  readonly page: Page;
  /** Errors in the browser's console, including violations of the Content-Security-Policy. */
  readonly consoleErrors: readonly string[];
}

/** Opens the console in a new browser profile, not signed in. */
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

/** Signs in on the issuer's page as the demo user with this name. */
export async function signInAs(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: /^(Anmelden|Sign in)$/ }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('button', { name: /^(Abmelden|Sign out)$/ }).waitFor();
}

/** Lets a page believe that the user looks at another tab. */
export async function hideTab(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
}
