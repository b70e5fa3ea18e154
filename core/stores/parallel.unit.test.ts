import { expect, test } from 'vitest';
import { forEachParallel, readAhead } from './parallel.ts';

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

test('reads end in any order, and their results come in the order of the items', async () => {
  const reads = [1, 2, 3, 4].map(() => Promise.withResolvers<string>());
  const begun: number[] = [];
  const all = Array.fromAsync(
    readAhead(reads.keys(), 2, async (index) => {
      begun.push(index);
      return (await reads[index]?.promise) ?? '';
    }),
  );
  for (const index of [1, 0, 3]) {
    reads[index]?.resolve(`${index}`);
    await new Promise(setImmediate);
  }
  expect(begun).toEqual([0, 1, 2, 3]);
  reads[2]?.resolve('2');
  expect(await all).toEqual(['0', '1', '2', '3']);
});

test('a failed read is thrown when its turn comes, and a caller that stops early ignores the failures of the others', async () => {
  const results = readAhead([1, 2, 3], 3, async (item) => {
    if (item > 1) throw new Error(`read ${item}`);
    return item;
  });
  expect(await results.next()).toEqual({ value: 1, done: false });
  await expect(results.next()).rejects.toThrow('read 2');
});
