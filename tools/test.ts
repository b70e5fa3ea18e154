import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { ensurePythonTools } from '../local/python-tools.ts';
import { startChecks } from './checks.ts';
import { testDir } from './test-dir.ts';

// `npm test`: the checks, then unit tests, the simulation of the line, the model of the data, and integration tests.
// With arguments, the checks are skipped and the arguments go to Vitest: npm test -- core/domain
const root = dirname(import.meta.dirname);
const args = process.argv.slice(2);
const checks = args.length > 0 ? undefined : startChecks();
// the first build of the Go programs goes on while the tests run; the emulator is installed while the checks run
if (checks) await Promise.all([checks.withoutBuild, ensurePythonTools(testDir)]);
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
    env: { ...process.env, LOCAL_DIR: testDir },
  },
);
let isStopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isStopped = true;
    vitest.kill(signal);
  });
const [code] = (await once(vitest, 'exit')) as [code: number | null];
const areChecksGood = isStopped || ((await checks?.areGood) ?? true); // after a signal, nobody waits for the checks
if (!areChecksGood) process.stderr.write('A check has failed: its line above begins with a cross.\n');
process.exit(code === 0 && areChecksGood ? 0 : 1);
