import { expect, test } from 'vitest';
import { forEachParallel } from './parallel.ts';

test('no more calls run at the same time than allowed, and all items are handled', async () => {
  let inFlight = 0;
  let most = 0;
  const done: number[] = [];
  await forEachParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    await Promise.resolve();
    inFlight -= 1;
    done.push(item);
  });
  expect(most).toBe(3);
  expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a failure is thrown once all running calls have ended, and no new call starts', async () => {
  const slow = Promise.withResolvers<void>();
  const begun: number[] = [];
  let isSettled = false;
  const all = forEachParallel([1, 2, 3], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('one');
    await slow.promise;
  }).finally(() => {
    isSettled = true;
  });
  await new Promise(setImmediate);
  expect(isSettled).toBe(false);
  slow.resolve();
  await expect(all).rejects.toThrow('one');
  expect(begun).toEqual([1, 2]);
});
