import { join } from 'node:path';
import { ensureConsole } from '../../local/console-process.ts';
import { testDir } from '../../tools/test-dir.ts';
import prepareStacks from '../prepare.ts';
import { ensureChromium } from './browser.ts';

/** Prepares what all test files need, before they run in parallel. */
export default async function prepare(): Promise<void> {
  ensureChromium();
  await prepareStacks();
  await ensureConsole(join(testDir, 'console'));
}
