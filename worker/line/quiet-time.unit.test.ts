import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { Priority } from '../../core/domain/line.ts';
import { quietHoursOf } from '../../core/domain/quiet-hours.ts';
import { createLineQueue, type LineQueue } from './queue.ts';
import { createQuietTime } from './quiet-time.ts';
import { outsideQuietHours } from './slot-supplier.ts';

/** Wednesday, 09:00 in Germany, and the minute of quiet hours that begins then. */
const beginMs = Date.parse('2026-11-25T08:00:00Z');
const quietHours = quietHoursOf('Wed 09:00-09:01');
const endMs = beginMs + 60_000;

let stopping: AbortController;
const begun: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: beginMs });
  vi.setTimerTickMode('nextTimerAsync'); // the clock advances to the next timer by itself, so all times are exact
  stopping = new AbortController();
  begun.length = 0;
});
afterEach(() => {
  stopping.abort();
  vi.useRealTimers();
});

const openQueue = (people: 'go' | 'wait'): LineQueue =>
  createLineQueue(async () => {}, systemClock, createQuietTime(quietHours, people, systemClock), stopping.signal);

/** Queues a task of a minute's quarter. @returns when it began, epoch ms */
const beginOf = (queue: LineQueue, priority: Priority, signal = new AbortController().signal): Promise<number> =>
  queue.run(priority, signal, async () => {
    begun.push(priority);
    return Date.now();
  });
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('in quiet hours, the list and bulk wait until their end, and people pass them', async () => {
  const queue = openQueue('go');
  const waiting = [beginOf(queue, 'bulk'), beginOf(queue, 'list')];
  await later(20_000);
  const person = beginOf(queue, 'person');
  expect(await person).toBe(beginMs + 20_000);
  expect(begun).toEqual(['person']);
  for (const begin of await Promise.all(waiting)) expect(begin).toBe(endMs);
  expect(begun).toEqual(['person', 'list', 'bulk']);
});

test('people wait as well, if this is set', async () => {
  const queue = openQueue('wait');
  expect(await Promise.all([beginOf(queue, 'bulk'), beginOf(queue, 'person')])).toEqual([endMs, endMs]);
  expect(begun).toEqual(['person', 'bulk']);
});

test('a task that waits in quiet hours can be cancelled, and ends when the line stops', async () => {
  const queue = openQueue('go');
  const cancelled = new AbortController();
  const one = beginOf(queue, 'bulk', cancelled.signal);
  const other = beginOf(queue, 'bulk');
  void later(5_000).then(() => cancelled.abort(new Error('cancelled')));
  await expect(one).rejects.toThrow('cancelled');
  stopping.abort(new Error('the line stops'));
  await expect(other).rejects.toThrow('the line stops');
  expect(begun).toEqual([]);
});

test('a wall clock that is set counts from the next second on', async () => {
  const queue = openQueue('go');
  const begin = beginOf(queue, 'bulk');
  await later(5_000);
  vi.setSystemTime(beginMs - 3_600_000);
  expect(await begin).toBeLessThan(beginMs - 3_600_000 + 2_000);
});

test('outside of quiet hours nobody waits, and in them no task of a run is taken', () => {
  const quietTime = createQuietTime(quietHours, 'go', systemClock);
  const isOpen = (priority: Priority): boolean =>
    outsideQuietHours({ isOpen: () => true, onChange: () => () => {} }, priority, quietTime).isOpen();
  expect([isOpen('bulk'), isOpen('person')]).toEqual([false, true]);
  vi.setSystemTime(endMs);
  expect([isOpen('bulk'), isOpen('person')]).toEqual([true, true]);
  expect(createQuietTime([], 'wait', systemClock)('bulk')).toBe(0);
});
