import { fork } from 'node:child_process';
import { type SplitAnswer, splitAnswer } from '../../core/domain/split-answer.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';

/** A larger answer is taken apart by a process of its own: JSON at its worst takes 1 ms per KiB, and this one keeps the line. */
const inlineBytesMax = 640 * 1024;
/** What that process may hold: an answer of 64 MiB as text, as values, and printed. */
const heapMiB = 512;
const splitTimeoutMs = 60_000;
/** Each part is an item or an object to be written; a real answer has some dozens. */
const partsMax = 50_000;
/** How V8 ends a process that has no memory left. */
const outOfMemorySignals: readonly (NodeJS.Signals | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];

/** unreadable: no answer at all; too-large: it cannot be taken apart within bounds, however often one tries. */
export type AnswerSplitResult =
  | { readonly kind: 'parts'; readonly parts: SplitAnswer }
  | { readonly kind: 'unreadable' | 'too-large' };

/** Takes an answer apart here and now. Never throws for what the answer holds: the parser's message would quote it. */
export function splitAnswerInline(body: Uint8Array): AnswerSplitResult {
  try {
    const parts = splitAnswer(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const count = parts.records.reduce((sum, { documents }) => sum + documents.length, parts.records.length);
    return count > partsMax ? { kind: 'too-large' } : { kind: 'parts', parts };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return { kind: 'unreadable' };
    if (error instanceof RangeError) return { kind: 'too-large' }; // nested too deeply
    throw error;
  }
}

let lastSplit: Promise<unknown> = Promise.resolve();

/** Takes an answer apart without keeping this process from its other work; large ones one after another. */
export async function splitAnswerWithinLimits(body: Uint8Array, leash: WriteGuard): Promise<AnswerSplitResult> {
  if (body.byteLength <= inlineBytesMax) return splitAnswerInline(body);
  const taking = lastSplit.then(async () => await splitInChildProcess(body, leash));
  lastSplit = taking.catch(() => undefined);
  return await taking;
}

/** A thread would not do: V8 out of memory ends the whole process, and within JSON.parse a thread cannot be stopped. */
async function splitInChildProcess(body: Uint8Array, leash: WriteGuard): Promise<AnswerSplitResult> {
  leash.check();
  const child = fork(new URL('./split-answer-process.ts', import.meta.url), {
    execArgv: [`--max-old-space-size=${heapMiB}`],
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // V8's last words are not for our log
  });
  const { promise, resolve, reject } = Promise.withResolvers<AnswerSplitResult>();
  child.once('message', (taken) => resolve(taken as AnswerSplitResult));
  child.once('error', reject);
  child.once('exit', (code, signal) => {
    if (outOfMemorySignals.includes(signal)) resolve({ kind: 'too-large' });
    else reject(new Error(`taking apart ended: ${signal ?? code}`)); // by someone else: the next attempt tells
  });
  const timer = setTimeout(() => {
    try {
      leash.check(); // a process that was frozen has not waited
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
