import { fork } from 'node:child_process';
import { type SplitAnswer, splitAnswer } from '../../core/domain/split-answer.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';

/** Larger answers are split in a child process: in the worst case JSON takes 1 ms per KiB, and this process keeps the line. */
const inlineBytesMax = 640 * 1024;
/** Heap of the child process: an answer of 64 MiB as text, as values, and printed. */
const heapMiB = 512;
const splitTimeoutMs = 60_000;
/** Maximum number of records and documents. Each one is an item or an object to write; a real answer has a few dozen. */
const partsMax = 50_000;
/** Signals with which V8 ends a process that is out of memory. */
const outOfMemorySignals: readonly (NodeJS.Signals | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];

/** unreadable: not an answer; too-large: it cannot be split within the limits, also not in another attempt. */
export type AnswerSplitResult =
  | { readonly kind: 'split'; readonly answer: SplitAnswer }
  | { readonly kind: 'unreadable' | 'too-large' };

/** Splits an answer synchronously. Never throws because of its content: the parser's message would quote it. */
export function splitAnswerInline(body: Uint8Array): AnswerSplitResult {
  try {
    const answer = splitAnswer(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const count = answer.records.reduce((sum, { documents }) => sum + documents.length, answer.records.length);
    return count > partsMax ? { kind: 'too-large' } : { kind: 'split', answer };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return { kind: 'unreadable' };
    if (error instanceof RangeError) return { kind: 'too-large' }; // nested too deeply
    throw error;
  }
}

let lastSplit: Promise<unknown> = Promise.resolve();

/** Splits an answer without blocking this process. Large answers are split in a child process, one at a time. */
export async function splitAnswerWithinLimits(body: Uint8Array, writeGuard: WriteGuard): Promise<AnswerSplitResult> {
  if (body.byteLength <= inlineBytesMax) return splitAnswerInline(body);
  const split = lastSplit.then(async () => await splitInChildProcess(body, writeGuard));
  lastSplit = split.catch(() => undefined);
  return await split;
}

/** Not a worker thread: if V8 runs out of memory the whole process ends, and JSON.parse in a thread cannot be stopped. */
async function splitInChildProcess(body: Uint8Array, writeGuard: WriteGuard): Promise<AnswerSplitResult> {
  writeGuard.check();
  const child = fork(new URL('./split-answer-process.ts', import.meta.url), {
    execArgv: [`--max-old-space-size=${heapMiB}`],
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // V8's crash output must not enter our log
  });
  const { promise, resolve, reject } = Promise.withResolvers<AnswerSplitResult>();
  child.once('message', (result) => resolve(result as AnswerSplitResult));
  child.once('error', reject);
  child.once('exit', (code, signal) => {
    if (outOfMemorySignals.includes(signal)) resolve({ kind: 'too-large' });
    else reject(new Error(`the process that splits an answer ended early: ${signal ?? code}`)); // the next attempt repeats it
  });
  const timer = setTimeout(() => {
    try {
      writeGuard.check(); // after a standstill of this process the timeout proves nothing
      resolve({ kind: 'too-large' });
    } catch (error) {
      reject(error);
    }
  }, splitTimeoutMs);
  child.send(body, (error) => error && reject(error));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}
