import { join } from 'node:path';
import { ensureConsole } from '../../local/console-process.ts';
import prepareStacks from '../prepare.ts';
import { testDir } from '../stack.ts';
import { ensureChromium } from './browser.ts';

/** What the worlds of all files start from, before files run side by side. */
export default async function prepare(): Promise<void> {
  ensureChromium();
  await prepareStacks();
  await ensureConsole(join(testDir, 'console'));
}
