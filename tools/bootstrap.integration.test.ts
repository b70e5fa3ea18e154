import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a signal to npm ends the script: npm itself ends only the shell between', async () => {
  const npm = spawn('npm', ['run', '--silent', 'insurer'], {
    cwd: dirname(import.meta.dirname),
    env: { ...process.env, INSURER_PORT: '0', INSURER_CONTROL_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = createInterface({ input: npm.stdout });
  await once(output, 'line'); // it runs
  const closed = once(output, 'close'); // the last process that can write has ended
  npm.kill('SIGTERM');
  await closed;
  expect(npm.signalCode ?? npm.exitCode).not.toBe(0);
});

test('a script finds the modules that an earlier start has compiled', async () => {
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const help = async () =>
    await promisify(execFile)('npm', ['run', '--silent', 'sync', '--', '--help'], {
      cwd: dirname(import.meta.dirname),
      env: { ...env, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
    });
  await help();
  expect((await help()).stderr).toMatch(/V8 code cache for ESM \S*cli\/main\.ts was accepted/);
});
