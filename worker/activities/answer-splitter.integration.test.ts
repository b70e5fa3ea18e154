import { expect, test } from 'vitest';
import { joinAnswer } from '../../core/domain/split-answer.ts';
import { splitAnswerWithinLimits } from './answer-splitter.ts';

const free = { signal: new AbortController().signal, check() {} };
const answerWith = (field: string) => `{"kvnr":"A123456780","careRecords":[{"id":"r","x":${field}}]}`;
const takenFrom = async (text: string) => await splitAnswerWithinLimits(Buffer.from(text), free);

/** The longest time for which this process did nothing else while some work lasted. */
async function longestBlockMs(work: () => Promise<void>): Promise<number> {
  let longestMs = 0;
  let lastMs = performance.now();
  const look = () => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  };
  const timer = setInterval(look, 10);
  await work();
  look();
  clearInterval(timer);
  return longestMs;
}

test('an answer too large to be taken apart here comes back bit by bit all the same', async () => {
  const text = answerWith(`[1.0,"${'ä'.repeat(500_000)}\\ud800"]`);
  const taken = await takenFrom(text);
  if (taken.kind !== 'parts') throw new Error(taken.kind);
  expect(joinAnswer(taken.parts)).toBe(text);
});

test('64 MiB of the worst numbers are given up, and neither block nor swell the process that keeps the line', async () => {
  const bytes = Buffer.from(answerWith(`[${'1.0,'.repeat(16 << 20)}0]`));
  const beforeBytes = process.memoryUsage().rss;
  const blockedMs = await longestBlockMs(async () => {
    expect(await splitAnswerWithinLimits(bytes, free)).toEqual({ kind: 'too-large' });
  });
  expect(blockedMs).toBeLessThan(1_000);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(400 << 20);
}, 90_000);

test('an answer of too many documents, or one nested too deeply, is given up', async () => {
  const many = `{"kvnr":"A","careRecords":[{"id":"r","documents":[${Array(50_000).fill('{"contentBase64":""}').join()}]}]}`;
  expect(await takenFrom(many)).toEqual({ kind: 'too-large' });
  expect(await takenFrom(answerWith('['.repeat(100_000) + ']'.repeat(100_000)))).toEqual({ kind: 'too-large' });
}, 30_000);

test('what is no answer is unreadable, large or small', async () => {
  for (const text of ['', '{', 'null', answerWith(`"${'x'.repeat(700_000)}`)])
    expect(await takenFrom(text)).toEqual({ kind: 'unreadable' });
}, 30_000);
