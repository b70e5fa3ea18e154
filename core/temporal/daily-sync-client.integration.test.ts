import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { clientConfig, readConfig } from '../config.ts';
import type { Progress } from '../domain/progress.ts';
import { openStores } from '../stores/open-stores.ts';
import { openTemporal } from './connection.ts';
import { createDailySyncClient } from './daily-sync-client.ts';

/** Opens clients on a stack without a worker. @param settings replace those of the stack */
async function open(settings: NodeJS.ProcessEnv = {}) {
  const INSURER_ID = `kk-${randomUUID().slice(0, 8)}`;
  const config = readConfig(clientConfig, { ...process.env, INSURER_ID, ...settings });
  const stores = openStores(config);
  const client = openTemporal(config);
  onTestFinished(() => {
    stores.close();
    return client.connection.close();
  });
  const another = () => createDailySyncClient(client, stores, config);
  return { insurerId: config.INSURER_ID, stores, client, sync: another(), another };
}

const progressOf = (runId: string, state: Progress['state']): Progress => ({
  runId,
  state,
  phase: state === 'running' ? 'care-records' : 'done',
  awaitingDecision: false,
  startedAt: '2026-11-24T21:30:00.000Z',
  stale: false,
  patients: { listed: 1, new: 1, changed: 0, removed: 0, unchanged: 0, quarantined: 0 },
  careRecords: { total: 1, done: 0, pending: 1, failed: 0, notInsured: 0 },
  line: { state: 'open', busy: false, requests: 1, failures: 0, failureRate: 0, faults: {} },
  ratePerMinute: 0,
});

test('before the first run there is no progress, and cancel and decide fail with no-run', async () => {
  const { sync } = await open();
  expect(await sync.readProgress()).toBeUndefined();
  await expect(sync.cancel({ operator: 'olga', reason: 'a test' })).rejects.toMatchObject({ fault: 'no-run' });
  await expect(
    sync.decideRemovals({ decision: 'approve', listId: '20261124T213000Z-00000000-1', operator: 'o' }),
  ).rejects.toMatchObject({ fault: 'no-run' });
});

test('a second start joins the current run', async () => {
  const { sync } = await open();
  const first = await sync.start();
  expect(first.joined).toBe(false);
  expect(await sync.start()).toEqual({ runId: first.runId, joined: true });
});

test('a start does not join a run that is being cancelled, and says so after ten seconds', async () => {
  const { sync } = await open();
  await sync.start();
  await sync.cancel({ operator: 'olga', reason: 'a test' }); // no worker ends it
  const startedAt = performance.now();
  await expect(sync.start()).rejects.toMatchObject({ fault: 'run-stopping' });
  expect(performance.now() - startedAt).toBeLessThan(14_000);
});

test('if no worker answers, the stored progress is returned as stale within three seconds, with the current state of the line', async () => {
  const { sync, stores, insurerId } = await open();
  const { runId } = await sync.start();
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  const gate = stores.gateOf(insurerId);
  const { changeNumber: seen } = await gate.read();
  await gate.pause({ by: 'operator', reason: 'test', seen });
  const startedAt = performance.now();
  const line = { state: 'paused', by: 'operator', reason: 'test', since: expect.any(String) };
  expect(await sync.readProgress()).toMatchObject({ runId, stale: true, line });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test('while a worker writes the progress, nobody asks Temporal', async () => {
  const { sync, stores, insurerId, client } = await open();
  const { runId } = await sync.start();
  await sleep(5);
  await stores.liveProgress.saveLive(insurerId, progressOf(runId, 'running'), Date.now());
  const asked = vi.spyOn(client.workflow, 'getHandle');
  for (let reads = 0; reads < 20; reads += 1)
    expect(await sync.readProgress()).toMatchObject({ runId, state: 'running', stale: false });
  expect(asked).not.toHaveBeenCalled();
  await stores.liveProgress.saveLive(insurerId, progressOf(runId, 'completed'), 0); // of a worker that has been asleep
  expect(await sync.readProgress()).toMatchObject({ state: 'running' });
});

test('one question serves all viewers, until somebody has changed something', async () => {
  const { sync, stores, insurerId, client, another } = await open();
  const { runId } = await sync.start();
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  const asked = vi.spyOn(client.workflow, 'getHandle');
  await sync.readProgress();
  expect(asked).toHaveBeenCalledTimes(2); // a description, which is not billed, and the query
  const viewers = [sync, another(), another()];
  for (const viewer of viewers) expect(await viewer.readProgress()).toMatchObject({ runId, stale: true });
  expect(asked).toHaveBeenCalledTimes(2);
  await sync.cancel({ operator: 'olga', reason: 'a test' });
  asked.mockClear();
  const answers = await Promise.all(viewers.map((viewer) => viewer.readProgress()));
  expect(answers).toEqual(viewers.map(() => expect.objectContaining({ runId, stale: true })));
  expect(asked).toHaveBeenCalledTimes(2);
});

test('while somebody asks about a start, other viewers wait for the answer, and see neither nothing nor the run before', async () => {
  const { sync, stores, insurerId } = await open();
  const { liveProgress } = stores;
  const startedAtMs = Date.now();
  await liveProgress.noteCommand(insurerId, startedAtMs);
  await liveProgress.claim(insurerId, undefined, startedAtMs + 1);
  const first = sync.readProgress();
  await sleep(300);
  const running = progressOf('20261125T213000Z-00000000', 'running');
  const answer = { answer: 'running', progress: running, progressAtMs: startedAtMs + 1 } as const;
  await liveProgress.saveAnswer(insurerId, { ...answer, askedAtMs: startedAtMs + 1 });
  expect(await first).toMatchObject({ runId: running.runId, stale: false });
});

test('if the answer about a start does not come within two seconds, other viewers see the run before as stale', async () => {
  const { sync, stores, insurerId } = await open();
  await stores.syncRuns.saveProgress(insurerId, progressOf('20261124T213000Z-00000000', 'completed'), 1);
  const nowMs = Date.now();
  await stores.liveProgress.noteCommand(insurerId, nowMs);
  await stores.liveProgress.claim(insurerId, undefined, nowMs);
  expect(await sync.readProgress()).toMatchObject({ state: 'completed', stale: true });
  expect(Date.now() - nowMs).toBeLessThan(3_500);
});

test('if Temporal does not answer, the one who asks waits two seconds, and all others get the answer from the table', async () => {
  const silent = createServer();
  const sockets = new Set<Socket>();
  silent.on('connection', (socket) => void sockets.add(socket.on('error', () => {})));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { sync, another, stores, insurerId } = await open({
    TEMPORAL_ADDRESS: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { runId } = progressOf('20261124T213000Z-00000000', 'running');
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  const startedAt = performance.now();
  expect(await sync.readProgress()).toMatchObject({ runId, stale: true });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(await stores.liveProgress.read(insurerId)).toMatchObject({ asked: { answer: 'no-answer' } });
  expect(await another().readProgress()).toMatchObject({ runId, stale: true });
  expect(performance.now() - startedAt).toBeLessThan(3_500);
});

test('while the table of the answers is away, a process asks once in five seconds', async () => {
  const { sync, stores, insurerId, client } = await open();
  const { runId } = await sync.start();
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  const asked = vi.spyOn(client.workflow, 'getHandle');
  vi.spyOn(stores.liveProgress, 'read').mockRejectedValue(new Error('the table is away'));
  for (let reads = 0; reads < 5; reads += 1) expect(await sync.readProgress()).toMatchObject({ runId, stale: true });
  expect(asked).toHaveBeenCalledTimes(2); // a description and the query
});

test('while nobody can claim a question, a process asks once in five seconds', async () => {
  const { sync, stores, insurerId, client } = await open();
  const { runId } = await sync.start();
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  const asked = vi.spyOn(client.workflow, 'getHandle');
  vi.spyOn(stores.liveProgress, 'claim').mockRejectedValue(new Error('the table is away'));
  for (let reads = 0; reads < 5; reads += 1) expect(await sync.readProgress()).toMatchObject({ runId, stale: true });
  expect(asked).toHaveBeenCalledTimes(2);
});

test('the progress of a run that has ended comes from the table and is not stale', async () => {
  const { sync, stores, insurerId } = await open();
  await stores.syncRuns.saveProgress(insurerId, progressOf('20261124T213000Z-00000000', 'completed'), 1);
  expect(await sync.readProgress()).toMatchObject({ state: 'completed', stale: false });
});

test('the progress of a terminated run is stale, because nothing will finish it', async () => {
  const { sync, stores, client, insurerId } = await open();
  const { runId } = await sync.start();
  await stores.syncRuns.saveProgress(insurerId, progressOf(runId, 'running'), 1);
  await client.workflow.getHandle(`daily-sync:${insurerId}`).terminate();
  expect(await sync.readProgress()).toMatchObject({ runId, state: 'running', stale: true });
});
