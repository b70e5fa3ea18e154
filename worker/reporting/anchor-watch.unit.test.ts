import { expect, onTestFinished, test, vi } from 'vitest';
import { chainOf, draftOf } from '../../core/domain/access-log.fixture.ts';
import type { StoredEntry } from '../../core/domain/access-log.ts';
import type { AccessAnchorsStore as Anchors } from '../../core/stores/access-anchors.ts';
import { createAnchorWatch } from './anchor-watch.ts';

const minute = 60_000;
const hour = 60 * minute;

function startWatch() {
  const [first, second, third] = chainOf([1, 2, 3].map(draftOf)) as [StoredEntry, StoredEntry, StoredEntry];
  const clock = { ms: 0 };
  const anchored: StoredEntry[] = [];
  const lists = { count: 0 };
  const read = async () => {
    lists.count += 1;
    return anchored;
  };
  return { first, second, third, clock, anchored, lists, watch: createAnchorWatch({ read }, () => clock.ms) };
}

test('entries that get their anchors have no lag, and are looked for every ten minutes at most', async () => {
  const { first, second, clock, anchored, lists, watch } = startWatch();
  expect(await watch.lagSeconds()).toBe(0);
  watch.note([first]);
  anchored.push(first);
  for (; clock.ms < 10 * minute; clock.ms += minute) expect(await watch.lagSeconds()).toBe(0);
  expect(lists.count).toBe(0);
  for (; clock.ms < 30 * minute; clock.ms += minute) expect(await watch.lagSeconds()).toBe(0);
  expect(lists.count).toBe(1);
  watch.note([second]);
  anchored.push(second);
  clock.ms += 10 * minute;
  expect(await watch.lagSeconds()).toBe(0);
  expect(lists.count).toBe(2);
});

test('a bucket that hangs is given up after five seconds, so that other metrics are not late', async () => {
  const { first, clock } = startWatch();
  const aborted = AbortSignal.abort('given up');
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(aborted);
  onTestFinished(() => timeout.mockRestore());
  const read: Anchors['read'] = async (_ref, options) => {
    options?.abortSignal?.throwIfAborted();
    return [];
  };
  const watch = createAnchorWatch({ read }, () => clock.ms);
  watch.note([first]);
  clock.ms = 10 * minute;
  await expect(watch.lagSeconds()).rejects.toBe('given up');
  expect(timeout).toHaveBeenCalledWith(5_000);
});

test('if anchors are switched off, the lag grows until an entry has its anchor again', async () => {
  const { first, second, third, clock, anchored, watch } = startWatch();
  watch.note([first]);
  clock.ms = 9 * minute;
  expect(await watch.lagSeconds()).toBe(0);
  clock.ms = 10 * minute;
  expect(await watch.lagSeconds()).toBe(600);
  watch.note([second]);
  clock.ms = hour;
  expect(await watch.lagSeconds()).toBe(3_600);
  anchored.push(first);
  expect(await watch.lagSeconds()).toBe(0);
  watch.note([third]); // another entry with its seq is not this entry
  anchored.push({ ...third, hash: first.hash });
  clock.ms += 11 * minute;
  expect(await watch.lagSeconds()).toBe(660);
});

test('after a day the anchor of an entry cannot come any more, so the lag ends with that of a later entry', async () => {
  const { first, second, clock, anchored, watch } = startWatch();
  watch.note([first]);
  clock.ms = 24 * hour;
  expect(await watch.lagSeconds()).toBe(24 * 3_600);
  clock.ms = 25 * hour;
  watch.note([second]);
  anchored.push(second);
  expect(await watch.lagSeconds()).toBe(25 * 3_600);
  clock.ms += 10 * minute;
  expect(await watch.lagSeconds()).toBe(0);
});
