import { join } from 'node:path';

/** Returns the command that builds the console with Vite into `outDir`, in a process of its own. */
export const buildCommand = (outDir: string) => ({
  command: process.execPath,
  args: [
    join(import.meta.dirname, '..', 'node_modules', 'vite', 'bin', 'vite.js'),
    ...['build', import.meta.dirname, '--outDir', outDir, '--logLevel', 'error'],
  ],
  // Vitest sets NODE_ENV to test, and React would then be built with its development tools
  env: { ...process.env, NODE_ENV: 'production' },
});
