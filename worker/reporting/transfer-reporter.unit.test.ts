import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MeasuredTransfers } from '../../core/domain/transfer.ts';
import { createTransferReporter, type FollowedTransfer } from './transfer-reporter.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function startReporter(save: (measured: MeasuredTransfers) => void = () => {}) {
  const saved: MeasuredTransfers['transfers'][] = [];
  const reporter = createTransferReporter(
    async (measured) => {
      save(measured);
      saved.push(measured.transfers);
    },
    () => true,
    () => Date.now(),
  );
  return { reporter, saved };
}

const since = '2026-11-24T21:30:00.000Z';

/** A transfer of which `received` bytes have arrived. */
function transferOf(facts: Partial<FollowedTransfer> = {}) {
  const arrived = { receivedBytes: 0 };
  const transfer: FollowedTransfer = {
    kind: 'list',
    listId: 'run-1',
    since,
    received: () => ({ ...arrived, totalBytes: 100_000 }),
    use: () => ({ requests: 3, faults: { stalled: 2 } }),
    ...facts,
  };
  return { arrived, transfer };
}

test('a list is saved immediately, then every two seconds with its bytes, rate and requests', async () => {
  const { reporter, saved } = startReporter();
  const { arrived, transfer } = transferOf();
  reporter.follow(transfer);
  await vi.advanceTimersByTimeAsync(0);
  arrived.receivedBytes = 1_000;
  await vi.advanceTimersByTimeAsync(2_000);
  arrived.receivedBytes = 4_000;
  await vi.advanceTimersByTimeAsync(2_000);
  const facts = { kind: 'list', listId: 'run-1', since, totalBytes: 100_000 };
  const use = { requests: 3, faults: { stalled: 2 } };
  expect(saved).toEqual([
    [{ ...facts, receivedBytes: 0, bytesPerSecond: 0, use }],
    [{ ...facts, receivedBytes: 1_000, bytesPerSecond: 500, use }],
    [{ ...facts, receivedBytes: 4_000, bytesPerSecond: 1_000, use }],
  ]);
  reporter.stop();
});

test('a transfer that continues has the rate of its new bytes only', async () => {
  const { reporter, saved } = startReporter();
  const { arrived, transfer } = transferOf();
  arrived.receivedBytes = 50_000; // fetched by another worker
  reporter.follow(transfer);
  arrived.receivedBytes = 50_200;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(saved.at(-1)).toMatchObject([{ receivedBytes: 50_200, bytesPerSecond: 100 }]);
  arrived.receivedBytes = 400; // starts again
  await vi.advanceTimersByTimeAsync(2_000);
  expect(saved.at(-1)).toMatchObject([{ receivedBytes: 400, bytesPerSecond: 150 }]);
  reporter.stop();
});

test('the rate of a list goes on with its next attempt', async () => {
  const { reporter, saved } = startReporter();
  const first = transferOf();
  const { end } = reporter.follow(first.transfer);
  first.arrived.receivedBytes = 6_000;
  await vi.advanceTimersByTimeAsync(1_000);
  end();
  await vi.advanceTimersByTimeAsync(1_000);
  const { arrived, transfer } = transferOf();
  arrived.receivedBytes = 6_000;
  reporter.follow(transfer);
  await vi.advanceTimersByTimeAsync(0);
  expect(saved.at(-1)).toMatchObject([{ receivedBytes: 6_000, bytesPerSecond: 6_000 }]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(saved.at(-1)).toMatchObject([{ receivedBytes: 6_000, bytesPerSecond: 1_500 }]);
  reporter.stop();
});

test('care records cost no write unless they are large or take long', async () => {
  const { reporter, saved } = startReporter();
  for (let count = 0; count < 100; count++) {
    const { transfer } = transferOf({ kind: 'care-records' });
    const { end } = reporter.follow(transfer);
    await vi.advanceTimersByTimeAsync(1_900);
    end();
  }
  expect(saved).toEqual([]);
  const slow = reporter.follow(transferOf({ kind: 'care-records' }).transfer);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(saved.at(-1)).toMatchObject([{ kind: 'care-records' }]);
  slow.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(saved.at(-1), 'nobody sees it any more').toEqual([]);
  reporter.stop();
});

test('a total that is smaller than what has arrived is left out', async () => {
  const { reporter, saved } = startReporter();
  const { arrived, transfer } = transferOf();
  arrived.receivedBytes = 100_001;
  reporter.follow(transfer);
  await vi.advanceTimersByTimeAsync(0);
  expect(saved[0]?.[0]).not.toHaveProperty('totalBytes');
  reporter.stop();
});

test('a failed write does no harm: the next one follows', async () => {
  let isAway = true;
  const { reporter, saved } = startReporter(() => {
    if (isAway) throw new Error('the table is away');
  });
  reporter.follow(transferOf().transfer);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(saved).toEqual([]);
  isAway = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(saved).toHaveLength(1);
  reporter.stop();
});

test('requests for patients whose fetch does not end are reported after a while, over all attempts', async () => {
  const saved: MeasuredTransfers[] = [];
  let isOpen = true;
  const reporter = createTransferReporter(
    async (measured) => void saved.push(measured),
    () => isOpen,
    () => Date.now(),
  );
  const useOf = (requests: number) => () => ({ requests, faults: { 'server-error': requests } });
  reporter.count({ runId: 'run-1', patientRef: 'a', use: useOf(99) });
  reporter.count({ runId: 'run-2', patientRef: 'a', use: useOf(8) });
  await vi.advanceTimersByTimeAsync(6_000);
  const last = reporter.count({ runId: 'run-2', patientRef: 'a', use: useOf(16) }); // its second attempt
  const quick = reporter.count({ runId: 'run-2', patientRef: 'b', use: useOf(1) });
  expect(saved).toEqual([]);
  await vi.advanceTimersByTimeAsync(4_000);
  const unfinished = { runId: 'run-2', use: { requests: 16, faults: { 'server-error': 16 } } };
  expect(saved).toMatchObject([{ transfers: [], unfinished }]);
  isOpen = false; // another process may have the line
  await vi.advanceTimersByTimeAsync(20_000);
  expect(saved).toHaveLength(1);
  isOpen = true;
  quick.end();
  last.end();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(saved.at(-1)?.unfinished).toBeUndefined();
  reporter.stop();
});
