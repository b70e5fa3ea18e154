// Preloaded into a worker and its line process: SIGUSR2 blocks the event loop for the ms in the file BLOCKED_LOOP_MS_FILE.
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.BLOCKED_LOOP_MS_FILE;
if (isMainThread && file !== undefined)
  process.on('SIGUSR2', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(readFileSync(file, 'utf8')));
  });
