import type { Client } from '@temporalio/client';
import { expect, test, vi } from 'vitest';
import { bulkTaskQueue, syncTaskQueue } from '../core/contract/names.ts';
import { createLog } from './log.ts';
import { createPollReader, type Polls, watchTemporal } from './temporal-watch.ts';

/** Plays answers of Temporal, one every ten seconds. Returns whether the worker is refused after each, and reachable at the end. */
async function play(answers: readonly Polls[]) {
  vi.useFakeTimers();
  let polls: Polls = 'unknown';
  const clock = { nowMs: 0 };
  const watch = watchTemporal(
    async () => polls,
    createLog('worker', () => {}),
    { nowMs: () => clock.nowMs, intervalMs: 10 },
  );
  const refused: boolean[] = [];
  for (const answer of answers) {
    polls = answer;
    clock.nowMs += 10_000;
    await vi.advanceTimersByTimeAsync(10);
    refused.push(watch.isRefused);
  }
  const { isReachable } = watch;
  vi.useRealTimers();
  await watch.stop();
  return { refused, isReachable };
}

test.each(['absent', 'refused'] as const)(
  'a worker whose polls are %s for a minute from its start on is not well',
  async (answer) => {
    const { refused, isReachable } = await play(Array<Polls>(8).fill(answer));
    expect(refused).toEqual([false, false, false, false, false, false, true, true]);
    expect(isReachable).toBe(false);
  },
);

test('an outage of Temporal makes no worker unwell, and neither does a start of some seconds', async () => {
  const outage = await play(['taken', ...Array<Polls>(20).fill('unknown')]);
  expect(outage).toEqual({ refused: Array<boolean>(21).fill(false), isReachable: false });
  const start = await play(['unknown', 'absent', 'absent', 'absent', 'taken', 'taken', 'taken', 'taken', 'absent']);
  expect(start.refused).toEqual(Array<boolean>(9).fill(false));
});

test('a worker whose polls are taken again is well', async () => {
  const { refused, isReachable } = await play([...Array<Polls>(8).fill('absent'), 'taken']);
  expect(refused.slice(-2)).toEqual([true, false]);
  expect(isReachable).toBe(true);
});

test.each(['taken', 'partial'] as const)(
  'a worker that Temporal does not show any more stays well, because it was %s',
  async (known) => {
    const { refused, isReachable } = await play([known, ...Array<Polls>(20).fill('absent')]);
    expect(refused).toEqual(Array<boolean>(21).fill(false));
    expect(isReachable).toBe(false); // the alarm shows it
  },
);

test('a worker that was known is not well if Temporal refuses the question itself', async () => {
  const { refused } = await play(['taken', ...Array<Polls>(8).fill('refused')]);
  expect(refused.slice(-2)).toEqual([true, true]);
});

/** Temporal with pollers by task queue and type, such as `sync 1`: 1 are workflow tasks, 2 are activity tasks. */
function temporalWith(answer: (queue: string) => readonly string[] | Error) {
  const asked: string[] = [];
  const client = {
    options: { namespace: 'epa-sync' },
    connection: { withDeadline: async (_: number, call: () => Promise<unknown>) => await call() },
    workflowService: {
      async describeTaskQueue(request: { taskQueue: { name: string }; taskQueueType: number }) {
        const queue = `${request.taskQueue.name} ${request.taskQueueType}`;
        asked.push(queue);
        const found = answer(queue);
        if (found instanceof Error) throw found;
        return { pollers: found.map((identity) => ({ identity })) };
      },
    },
  } as unknown as Client;
  const read = createPollReader(
    { client, identity: 'me' },
    createLog('worker', () => {}),
  );
  return { read, asked };
}
const [workflows, activities, bulk] = [`${syncTaskQueue} 1`, `${syncTaskQueue} 2`, `${bulkTaskQueue} 2`];

test('a worker must be known on each of its task queues', async () => {
  const { read, asked } = temporalWith((queue) => (queue === bulk ? ['another'] : ['another', 'me']));
  expect(await read()).toBe('partial');
  expect(asked).toEqual([workflows, activities, bulk]);
  expect(await temporalWith(() => ['another']).read()).toBe('absent');
  expect(await temporalWith(() => ['me']).read()).toBe('taken');
});

test('a worker may stop polling for activities while all slots are in use', async () => {
  let isFull = false;
  const { read } = temporalWith((queue) => (isFull && queue !== workflows ? [] : ['me']));
  expect(await read()).toBe('taken');
  isFull = true;
  expect(await read()).toBe('taken');
});

test.each([
  ['NOT_FOUND', 5, 'refused'],
  ['PERMISSION_DENIED', 7, 'refused'],
  ['UNAUTHENTICATED', 16, 'refused'],
  ['UNAVAILABLE', 14, 'unknown'],
  ['FAILED_PRECONDITION', 9, 'unknown'],
] as const)('to the question, %s (%i) means %s', async (_, code, polls) => {
  const { read } = temporalWith(() => Object.assign(new Error('no'), { code, details: '', metadata: {} }));
  expect(await read()).toBe(polls);
});
