import { join } from 'node:path';

/** How Vite builds the page into a folder: the command of a process of its own. */
export const buildCommand = (outDir: string) => ({
  command: process.execPath,
  args: [
    join(import.meta.dirname, '..', 'node_modules', 'vite', 'bin', 'vite.js'),
    ...['build', import.meta.dirname, '--outDir', outDir, '--logLevel', 'error'],
  ],
  // under vitest it is test, and React would come with its development tools
  env: { ...process.env, NODE_ENV: 'production' },
});
