import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { runChecks } from './checks.ts';

// `npm test`: the checks, then unit and integration tests. Arguments go to vitest, and then the checks are left out: npm test -- core/domain
const root = dirname(import.meta.dirname);
const args = process.argv.slice(2);
const areChecksGood = args.length > 0 || runChecks();
const vitest = spawn(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...(args.length > 0 ? args : ['--project', 'unit', '--project', 'integration']),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LOCAL_DIR: process.env['LOCAL_DIR'] ?? join(root, '.local', 'test') },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => vitest.kill(signal));
vitest.on('exit', (code) => process.exit(code === 0 && areChecksGood ? 0 : 1));
