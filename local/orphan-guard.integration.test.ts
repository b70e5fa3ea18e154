import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { startProcess, untilReady } from './processes.ts';

const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-orphan-guard-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const node = (name: string, code: string, onLine?: (line: string) => void) =>
  startProcess({
    name,
    command: process.execPath,
    args: ['-e', code],
    env: process.env,
    logDir: newDir(),
    graceMs: 300,
    ...(onLine && { onLine }),
  });

test('a process ends if its parent is killed with SIGKILL', async () => {
  const parent = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { startProcess } from ${JSON.stringify(join(import.meta.dirname, 'processes.ts'))};
     startProcess({ name: 'sleeper', command: process.execPath, args: ['-e', 'console.log(process.pid); setInterval(() => {}, 1e6)'],
       env: process.env, logDir: ${JSON.stringify(newDir())}, graceMs: 300, onLine: (line) => console.log(line) });`,
  ]);
  const [pid] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  expect(isAlive(Number(pid))).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isAlive(Number(pid)), { timeout: 5_000 }).toBe(false);
});

test('a process that ignores SIGTERM is killed after the grace period', async () => {
  const stubborn = Promise.withResolvers<number>();
  const code = "process.on('SIGTERM', () => {}); console.log(process.pid); setInterval(() => {}, 1e6)";
  const managed = node('stubborn', code, (line) => stubborn.resolve(Number(line)));
  const pid = await stubborn.promise;
  await managed.stop();
  expect(isAlive(pid)).toBe(false);
});

test('if a process ends before it is ready, the error quotes its last line', async () => {
  const managed = node('short', "console.error('the disk is on fire'); process.exit(3)");
  await expect(untilReady(managed, async () => false, { timeoutMs: 10_000 })).rejects.toThrow(
    /short ended before it was ready: "the disk is on fire"/,
  );
});

test('if its last line is one of a log, the error quotes the event and its reason', async () => {
  const line = {
    at: 'now',
    level: 'error',
    event: 'worker failed',
    fault: 'ConfigError',
    problems: 'PSEUDONYM_KEY: is not the key',
  };
  const managed = node('logging', `console.log(${JSON.stringify(JSON.stringify(line))}); process.exit(1)`);
  await expect(untilReady(managed, async () => false, { timeoutMs: 10_000 })).rejects.toThrow(
    /logging ended before it was ready: "worker failed: PSEUDONYM_KEY: is not the key" \(log: /,
  );
});

test('if the command does not exist, the error says so', async () => {
  const managed = startProcess({
    name: 'missing',
    command: 'no-such-command-here',
    args: [],
    env: process.env,
    logDir: newDir(),
    graceMs: 300,
  });
  await expect(untilReady(managed, async () => false, { timeoutMs: 10_000 })).rejects.toThrow(/ENOENT/);
});

test('the log of a process is kept when another process replaces it', async () => {
  const logDir = newDir();
  const printing = (word: string) =>
    startProcess({
      name: 'worker',
      command: process.execPath,
      args: ['-e', `console.log(${JSON.stringify(word)})`],
      env: process.env,
      logDir,
      graceMs: 300,
    });
  for (const word of ['first process', 'second process']) await printing(word).ended;
  await expect.poll(() => readFileSync(join(logDir, 'worker.log'), 'utf8')).toBe('first process\nsecond process\n');
});
