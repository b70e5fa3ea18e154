import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Runs a command without any settings. */
function run(file: 'restore' | 'secret', ...args: string[]) {
  const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };
  const command = join(import.meta.dirname, `${file}.ts`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { env, input: 'value' });
  return { exitCode: status, out: String(stdout), errors: String(stderr) };
}

test('restore and its commands have a help, and reject wrong usage with exit code 2', () => {
  expect(run('restore', '--help')).toMatchObject({ exitCode: 0, out: expect.stringMatching(/copy <time>.*refetch/s) });
  expect(run('restore', 'copy', '--help').out).toContain('Usage: npm run restore -- copy [options] <time>\n');
  expect(run('restore')).toMatchObject({ exitCode: 2, out: '' });
  expect(run('restore', 'nonsense').errors).toContain("unknown command 'nonsense'");
  expect(run('restore', 'refetch', 'more')).toMatchObject({ exitCode: 2, out: '' });
  expect(run('restore', 'copy', '2026-11-25')).toMatchObject({
    exitCode: 2,
    errors: expect.stringContaining('Use ISO 8601 with an offset'),
  });
});

test('secret has a help, and rejects wrong usage with exit code 2 without quoting it', () => {
  const { exitCode, out } = run('secret', '--help');
  expect(exitCode).toBe(0);
  expect(out).toMatch(/TEMPORAL_API_KEY.*Exit codes/s);
  for (const args of [['--typed-value'], ['TEMPORAL_API_KEY', 'typed-value'], ['typed-value'], []]) {
    const rejected = run('secret', ...args);
    expect(rejected).toMatchObject({ exitCode: 2, out: '', errors: expect.stringMatching(/^epa-sync: /) });
    expect(rejected.errors).not.toContain('typed-value');
  }
});
