import { expect, test } from 'vitest';
import { joinAnswer } from '../../core/domain/split-answer.ts';
import { splitAnswerWithinLimits } from './answer-splitter.ts';

const free = { signal: new AbortController().signal, check() {} };
const answerWith = (field: string) => `{"kvnr":"A123456780","careRecords":[{"id":"r","x":${field}}]}`;
const splitText = async (text: string) => await splitAnswerWithinLimits(Buffer.from(text), free);

/** Returns the longest time for which the event loop was blocked during some work, in milliseconds. */
async function longestBlockMs(work: () => Promise<void>): Promise<number> {
  let longestMs = 0;
  let lastMs = performance.now();
  const measure = () => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  };
  const timer = setInterval(measure, 10);
  await work();
  measure();
  clearInterval(timer);
  return longestMs;
}

test('an answer that is split in a child process can be joined to the same text', async () => {
  const text = answerWith(`[1.0,"${'ä'.repeat(500_000)}\\ud800"]`);
  const result = await splitText(text);
  if (result.kind !== 'split') throw new Error(result.kind);
  expect(joinAnswer(result.answer)).toBe(text);
});

test('64 MiB of the slowest numbers are rejected as too large, and neither block this process nor grow its memory', async () => {
  const bytes = Buffer.from(answerWith(`[${'1.0,'.repeat(16 << 20)}0]`));
  const beforeBytes = process.memoryUsage().rss;
  const blockedMs = await longestBlockMs(async () => {
    expect(await splitAnswerWithinLimits(bytes, free)).toEqual({ kind: 'too-large' });
  });
  expect(blockedMs).toBeLessThan(1_000);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(400 << 20);
}, 90_000);

test('an answer with too many documents, or nested too deeply, is rejected as too large', async () => {
  const many = `{"kvnr":"A","careRecords":[{"id":"r","documents":[${Array(50_000).fill('{"contentBase64":""}').join()}]}]}`;
  expect(await splitText(many)).toEqual({ kind: 'too-large' });
  expect(await splitText(answerWith('['.repeat(100_000) + ']'.repeat(100_000)))).toEqual({ kind: 'too-large' });
}, 30_000);

test('a body that is not an answer is unreadable, large or small', async () => {
  for (const text of ['', '{', 'null', answerWith(`"${'x'.repeat(700_000)}`)])
    expect(await splitText(text)).toEqual({ kind: 'unreadable' });
}, 30_000);
