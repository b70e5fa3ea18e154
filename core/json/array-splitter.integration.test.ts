import { expect, test } from 'vitest';
import { JsonArrayError, JsonArraySplitter } from './array-splitter.ts';

/** Runs in its own process, which has not allocated memory for other tests. */
test('thirty million brackets need no memory', () => {
  const splitter = new JsonArraySplitter({ elementBytes: 1 << 20, depth: 64 });
  const brackets = Buffer.alloc(1 << 20, '[');
  const beforeBytes = process.memoryUsage().rss;
  for (let chunk = 0; chunk < 32; chunk++) splitter.push(brackets);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(24 << 20);
  expect(() => splitter.end()).toThrow(JsonArrayError);
});
