import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { ensureConsole, startConsole } from '../../local/console-process.ts';
import type { InsurerOptions } from '../../simulator/insurer.ts';
import { testDir } from '../../tools/test-dir.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';
import { openBrowser } from './browser.ts';

/** A day with its API and console, and a browser. */
export interface ConsoleWorld extends AsyncDisposable {
  readonly day: Day;
  readonly browser: Browser;
  /** URL of the console. */
  readonly url: string;
  /** Folder of the built console. */
  readonly dir: string;
  /** Calls the API directly. */
  readonly call: CallWithPermittedRole;
}

export async function startWorld(
  options: InsurerOptions = {},
  issuerOptions: { readonly tokenSeconds?: number } = {},
): Promise<ConsoleWorld> {
  const dir = await ensureConsole(join(testDir, 'console'));
  const day = await startDay(options, {}, { api: true, ...issuerOptions });
  const { api } = day.stack;
  if (api === undefined) throw new Error('the stack has no API');
  const server = await startConsole({
    port: Number(new URL(api.consoleOrigin).port),
    dir,
    apiUrl: api.url,
    oidcIssuer: api.issuer,
    logDir: join(day.stack.dir, 'logs'),
  });
  const browser = await openBrowser();
  const { call } = await openApi(day.stack);
  return {
    day,
    browser,
    url: `${api.consoleOrigin}/`,
    dir,
    call,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server.stop();
      await day[Symbol.asyncDispose]();
    },
  };
}

/** Names of the issuer's demo users. */
export const demoUserNames = {
  operator: 'Jonas Brandt',
  management: 'Katrin Seidel',
  clinician: 'Dr. Miriam Vogt',
  auditor: 'Peter Hollmann',
  integration: 'Data warehouse',
} as const;
