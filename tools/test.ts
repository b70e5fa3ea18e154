import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { runChecks } from './checks.ts';
import { testDir } from './test-dir.ts';

// `npm test`: the checks, then unit tests, the simulation of the line, the model of the data, and integration tests.
// With arguments, the checks are skipped and the arguments go to Vitest: npm test -- core/domain
const root = dirname(import.meta.dirname);
const args = process.argv.slice(2);
const areChecksGood = args.length > 0 || (await runChecks());
const vitest = spawn(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...(args.length > 0
      ? args
      : ['unit', 'simulation', 'model', 'integration'].flatMap((project) => ['--project', project])),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    // workers, Lambdas and the synthesis start hundreds of times; the compile cache halves the cost of a start
    env: { ...process.env, LOCAL_DIR: testDir, NODE_COMPILE_CACHE: join(testDir, 'compile-cache') },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => vitest.kill(signal));
vitest.on('exit', (code) => process.exit(code === 0 && areChecksGood ? 0 : 1));
