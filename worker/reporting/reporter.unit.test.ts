import { expect, onTestFinished, test, vi } from 'vitest';
import { chainOf, draftOf } from '../../core/domain/access-log.fixture.ts';
import { newGate } from '../../core/domain/gate.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { MetricName, Metrics } from '../../core/telemetry/metrics.ts';
import { createLog } from '../log.ts';
import { watchAccessLog } from './access-log-watch.ts';
import { startLineReporter } from './line-reporter.ts';
import { repeat } from './repeat.ts';
import { type ReporterDeps, startReporter } from './reporter.ts';

function recordMetrics() {
  const emitted: [name: MetricName, value: unknown, dimensions: object][] = [];
  const metrics: Metrics = {
    emit(values, dimensions = {}) {
      for (const [name, value] of Object.entries(values)) emitted.push([name as MetricName, value, dimensions]);
    },
  };
  return { metrics, namesOf: () => [...new Set(emitted.map(([name]) => name))], emitted };
}

/** Starts a reporter and stops it, which makes it report once. */
async function reportOnce(changes: Partial<ReporterDeps>) {
  const logged: string[] = [];
  const { metrics, namesOf, emitted } = recordMetrics();
  const { stop } = startReporter({
    keeper: { holdsLine: true, gate: newGate('kk-nord', 1) },
    metrics,
    log: createLog('worker', (line) => logged.push(line)),
    readRuns: async () => [],
    readBacklogs: async () => ({ 'sync-bulk': 4, sync: 2, 'insurer-line': 50, 'insurer-line-urgent': 0 }),
    isTemporalReachable: () => true,
    takeSyncDurationsMs: () => [420, 380],
    readAnchorLagSeconds: async () => 660,
    readAccessLogCheckedAt: async () => new Date(Date.now() - 35.5 * 86_400_000).toISOString(),
    schedule: { startHour: 3, dueHour: 8 },
    intervalMs: 60_000,
    ...changes,
  });
  await stop();
  return { names: namesOf(), emitted, logged: logged.join() };
}

test('the worker that holds the line reports the line, the runs, the queues and its own syncs', async () => {
  const { names, emitted } = await reportOnce({});
  expect(names).toEqual(
    expect.arrayContaining(['SyncOnDemandMs', 'LineHeld', 'LinePaused', 'RunOverdueMinutes', 'QueueBacklog']),
  );
  expect(emitted).toContainEqual(['SyncOnDemandMs', [420, 380], {}]);
  expect(emitted).toContainEqual(['QueueBacklog', 50, { taskQueue: 'insurer-line' }]);
  expect(emitted).toContainEqual(['AccessLogCheckAgeDays', 35, {}]);
});

test('a worker that does not hold the line reports its own syncs and entries, LineHeld 0, and whether it reaches Temporal', async () => {
  const keeper = { holdsLine: false, gate: newGate('kk-nord', 1) };
  const { names, emitted } = await reportOnce({ keeper, isTemporalReachable: () => false });
  expect(names).toEqual(['SyncOnDemandMs', 'LineHeld', 'TemporalReachable', 'AnchorLagSeconds']);
  expect(emitted).toContainEqual(['AnchorLagSeconds', 660, {}]);
  expect(emitted).toContainEqual(['TemporalReachable', 0, {}]);
  expect(emitted).toContainEqual(['LineHeld', 0, {}]);
});

test('a value that cannot be read is logged without its message, and the other metrics are reported', async () => {
  const { names, logged } = await reportOnce({ readRuns: () => Promise.reject(new TypeError('Anna Beispiel')) });
  expect(names).toEqual(expect.arrayContaining(['LineHeld', 'QueueBacklog']));
  expect(names).not.toContain('RunOverdueMinutes');
  expect(logged).toContain('"what":"runs","fault":"TypeError"');
  expect(logged).not.toContain('Anna');
});

test('the first report comes as soon as the line is held, not at the end of an interval', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let isHeld = false;
  let times = 0;
  const reported = Promise.withResolvers<void>();
  const stop = repeat(
    60_000,
    () => isHeld,
    async () => {
      times += 1;
      reported.resolve();
    },
  );
  await vi.advanceTimersByTimeAsync(600);
  expect(times).toBe(0);
  isHeld = true;
  await vi.advanceTimersByTimeAsync(600);
  await reported.promise;
  await stop();
  expect(times).toBe(2); // one more at the end
});

test('a line that is neither held nor used is not reported, and its last requests are', () => {
  const measured = { requests: 0, faults: {}, receivedBytes: 0, busyMs: 0, elapsedMs: 1_000, sinceSuccessMs: 1_000 };
  const closed = recordMetrics();
  const deps = { isOpen: () => false, intervalMs: 60_000 };
  startLineReporter({ ...deps, metrics: closed.metrics, statistics: { take: () => measured } }).stop();
  expect(closed.emitted).toEqual([]);
  const used = recordMetrics();
  const last = { ...measured, requests: 2, faults: { reset: 1 } };
  startLineReporter({ ...deps, metrics: used.metrics, statistics: { take: () => last } }).stop();
  expect(used.emitted).toContainEqual(['LineRequests', 2, {}]);
  expect(used.emitted).toContainEqual(['LineFailuresByFault', 1, { fault: 'reset' }]);
});

test('a failed call of the access log is counted, and still fails', async () => {
  let failures = 0;
  const fails = (): Promise<never> => Promise.reject(new Error('away'));
  const calls = { append: fails, appendFirst: async () => {}, read: fails, readLinks: fails, verify: fails };
  const onFailure = (): void => {
    failures += 1;
  };
  const log = watchAccessLog({ ...calls, patientRefs: async function* () {} }, { onFailure, onAppended: () => {} });
  await log.appendFirst([]);
  expect(failures).toBe(0);
  await expect(log.append('ref', [])).rejects.toThrow('away');
  expect(failures).toBe(1);
});

test('an observer gets the entries that were appended', async () => {
  const entries = chainOf([draftOf(1)]);
  const seen: unknown[] = [];
  const onFailure = (): void => expect.unreachable();
  const log = watchAccessLog(
    { append: async () => entries } as unknown as AccessLogStore, // no other call is made
    { onFailure, onAppended: (appended) => seen.push(appended) },
  );
  expect(await log.append('ref', [])).toBe(entries);
  expect(seen).toEqual([entries]);
});
