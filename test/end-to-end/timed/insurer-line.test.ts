import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WithStartWorkflowOperation, type WorkflowUpdateFailedError } from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { expect, test } from 'vitest';
import {
  type LineHistory,
  type LineUpdateInput,
  lineHistoryQuery,
  pauseUpdate,
} from '../../../core/contract/insurer-line.ts';
import { insurerLineId, syncTaskQueue } from '../../../core/contract/names.ts';
import { createInsurerLineClient } from '../../../core/temporal/insurer-line-client.ts';
import { type Day, insurerId, startDay } from '../../day.fixture.ts';
import { historiesOf, replay } from '../../histories.fixture.ts';
import { metricsIn, workerLogLines } from '../../logs.fixture.ts';

const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10 };
const world = { patients: 60, rate: 0.4, mix, latencyMs: 20, slowShare: 0 };
const olga = { operator: 'olga', reason: 'the insurer called' };
const otto = { operator: 'otto', reason: 'all is well' };

/** A day with a run in the midst of its care records. */
async function startBusyDay(options: Parameters<typeof startDay>[0] = {}): Promise<Day> {
  const day = await startDay({ ...world, ...options });
  await day.startWorker({ METRICS_INTERVAL_MS: '1000' });
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  return day;
}

/** Pauses, and from the confirmation on lets the insurer judge. @returns how long it took, ms */
async function pause(day: Day, wish = olga): Promise<number> {
  const askedMs = performance.now();
  expect(await day.line.pause(wish)).toMatchObject({ state: 'paused', busy: false });
  const tookMs = performance.now() - askedMs;
  await day.insurer.setPaused(true);
  return tookMs;
}

async function resume(day: Day): Promise<void> {
  await day.insurer.setPaused(false);
  expect(await day.line.resume(otto)).toMatchObject({ state: 'open' });
}

async function expectSilenceFor(day: Day, ms: number): Promise<void> {
  const { requests } = day.insurer.summary();
  await sleep(ms);
  expect(day.insurer.summary()).toMatchObject({ requests, inFlight: 0, whilePaused: 0, inFlightWhenPaused: 0 });
}

async function expectCompleted(day: Day): Promise<void> {
  expect(await day.ended()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(day.insurer.summary().violations).toBe(0);
}

/** What `insurerLine` itself remembers. */
const remembered = (day: Day): Promise<LineHistory> =>
  day.client.workflow.getHandle(insurerLineId(insurerId)).query<LineHistory>(lineHistoryQuery);

/** An update as a caller may send it who checks nothing. @returns the type of its failure */
async function failureOf(day: Day, lineOf: string, request: LineUpdateInput): Promise<string | undefined> {
  const startWorkflowOperation = new WithStartWorkflowOperation<Workflow>('insurerLine', {
    workflowId: insurerLineId(lineOf),
    taskQueue: syncTaskQueue,
    args: [{ insurerId: lineOf }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const failure = await day.client.workflow
    .executeUpdateWithStart(pauseUpdate, { args: [request], startWorkflowOperation })
    .catch((error: unknown) => error as WorkflowUpdateFailedError);
  return (failure as { cause?: { type?: string } }).cause?.type;
}

test('in the midst of a run a pause is confirmed within three seconds, nothing goes out until the resume, and the run completes', async () => {
  await using day = await startBusyDay({ latencyMs: 300 });
  expect(await pause(day)).toBeLessThan(3_000);
  await expectSilenceFor(day, 2_000);
  expect(await day.until(({ line }) => line.state === 'paused')).toMatchObject({
    line: { by: 'olga', reason: olga.reason },
  });
  await resume(day);
  day.insurer.setFaults({ latencyMs: 20 });
  await expectCompleted(day);
  expect(await remembered(day)).toMatchObject({
    state: 'open',
    by: 'otto',
    reason: otto.reason,
    changes: [
      { number: 2, state: 'open', by: 'otto', at: expect.stringMatching(/^20.*Z$/), reason: otto.reason },
      { number: 1, state: 'paused', by: 'olga', reason: olga.reason },
    ],
  });
  await expect.poll(async () => (await day.stores.gateOf(insurerId).find()).outbox).toEqual([]);
});

test('of two operators who pause at once both are told that it is silent, and one has paused; more of the same changes nothing', async () => {
  await using day = await startBusyDay();
  const pauses = await Promise.all([day.line.pause(olga), day.line.pause({ operator: 'anna', reason: 'me too' })]);
  await day.insurer.setPaused(true);
  expect(pauses[0]).toEqual(pauses[1]);
  const changes = await day.line.readChanges();
  expect(changes).toMatchObject([{ number: 1, state: 'paused', by: pauses[0].by }]);
  expect(await day.line.pause({ operator: 'berta', reason: 'once more' })).toEqual(pauses[0]);
  await expectSilenceFor(day, 500);
  await day.insurer.setPaused(false);
  const resumed = { state: 'open', busy: false };
  expect(await Promise.all([day.line.resume(otto), day.line.resume(olga)])).toEqual([resumed, resumed]);
  expect(await day.line.resume(otto)).toEqual(resumed);
  expect(await day.line.readChanges()).toMatchObject([{ state: 'open' }, { ...changes[0] }]);
  await expectCompleted(day);
});

test('a pause without a reason or a name, and one for an insurer that does not exist, is refused by client and workflow', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  for (const wish of [
    { operator: 'olga', reason: '' },
    { operator: ' ', reason: 'r' },
  ]) {
    await expect(day.line.pause(wish)).rejects.toMatchObject({ fault: 'invalid' });
    expect(await failureOf(day, insurerId, { ...wish, seen: 0 })).toBe('CommandInvalid');
  }
  const gate = day.stores.gateOf('nobody');
  const nobodys = createInsurerLineClient({ temporal: async () => day.client, gate, insurerId: 'nobody' });
  await expect(nobodys.pause(olga)).rejects.toMatchObject({ fault: 'unknown-insurer' });
  expect(await failureOf(day, 'nobody', { ...olga, seen: 0 })).toBe('UnknownInsurer');
  expect(await failureOf(day, insurerId, { ...olga, seen: 7 })).toBe('Superseded');
  expect(await day.line.read()).toEqual({ state: 'open', busy: false });
  expect(await day.line.readChanges()).toEqual([]);
});

test('while Temporal is down a pause is confirmed all the same; when it is back it knows who, when and why', async () => {
  await using day = await startBusyDay();
  await day.stack.stopTemporal();
  expect(await pause(day)).toBeLessThan(6_000);
  const since = (await day.line.read()).since;
  await expectSilenceFor(day, 500);
  await day.stack.restartTemporal();
  await expect
    .poll(() => remembered(day).catch(() => undefined), { timeout: 30_000 })
    .toMatchObject({
      state: 'paused',
      since,
      changes: [{ number: 1, state: 'paused', by: 'olga', at: since, reason: olga.reason }],
    });
  await expect.poll(async () => (await day.stores.gateOf(insurerId).find()).outbox, { timeout: 10_000 }).toEqual([]);
  await expectSilenceFor(day, 500);
  await resume(day);
  await expectCompleted(day);
});

test('while every worker is frozen a pause is confirmed once the lease has lapsed, and the update given up never pauses again', async () => {
  await using day = await startDay(world);
  const worker = await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  const bothOf = ({ pid, linePid }: typeof worker): number[] => [linePid, pid];
  for (const pid of bothOf(worker)) process.kill(pid, 'SIGSTOP');
  expect(await pause(day)).toBeLessThan(9_000); // 3 s for the update, 3 s lease
  expect(await day.line.read()).toMatchObject({ state: 'paused', busy: false }); // though nobody is there to say so
  await expectSilenceFor(day, 500);
  await resume(day);
  for (const pid of bothOf(worker)) process.kill(pid, 'SIGCONT');
  await expectCompleted(day);
  // the abandoned update was refused in the meantime: two changes, and no third one
  await expect
    .poll(async () => await remembered(day).catch(() => undefined), { timeout: 20_000 })
    .toMatchObject({ state: 'open', changes: [{ number: 2 }, { number: 1 }] });
  expect(await day.line.read()).toMatchObject({ state: 'open' });
});

test('a pause while no worker runs is confirmed at once, and outlives workers, Temporal, the emulator and a new run', async () => {
  await using day = await startDay(world);
  const first = await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  await first.stop();
  expect(await pause(day)).toBeLessThan(5_000);
  const second = await day.startWorker();
  await day.sync.start(); // a new day: the run in progress is to fetch the new list
  await expectSilenceFor(day, 1_000);
  await second.kill();
  await day.startWorker();
  await day.stack.restartTemporal();
  await day.stack.restartEmulator();
  await expectSilenceFor(day, 6_000); // past the lease of the worker that was killed
  expect(await day.line.read()).toMatchObject({ state: 'paused', by: 'olga', reason: olga.reason });
  await resume(day);
  await expectCompleted(day);
});

test('when the insurer does not let us in the line pauses itself, says so everywhere, and raises an alarm', async () => {
  await using day = await startBusyDay();
  day.insurer.script({ fault: 'unauthorized' });
  const { line } = await day.until((progress) => progress.line.state === 'paused');
  const bySystem = { by: 'system', reason: 'insurer answered 401' };
  expect(line).toMatchObject(bySystem);
  await expectSilenceFor(day, 500);
  const log = readFileSync(join(day.stack.dir, 'worker-0.log'), 'utf8');
  const said = log.split('\n').flatMap((text) => (text.startsWith('{') ? [JSON.parse(text) as object] : []));
  expect(said).toContainEqual(expect.objectContaining({ level: 'error', event: 'line paused by the system' }));
  const alarming = () => metricsIn(workerLogLines(day)).findLast(({ name }) => name === 'LinePausedBySystem');
  await expect.poll(alarming, { timeout: 10_000 }).toMatchObject({ dimensions: { insurerId }, values: [1] });
  expect(await day.line.readChanges()).toMatchObject([{ number: 1, state: 'paused', ...bySystem }]);
  await expect // nobody but the line's holder could tell the workflow
    .poll(() => remembered(day).catch(() => undefined), { timeout: 15_000 })
    .toMatchObject({ state: 'paused', ...bySystem, changes: [{ number: 1, ...bySystem }] });
  await resume(day);
  await expectCompleted(day);
});

test('after many changes the workflow has begun anew, and still knows the last 50', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  for (let round = 1; round <= 60; round++) {
    await day.line.pause({ operator: 'olga', reason: `call ${round}` });
    await day.line.resume({ operator: 'otto', reason: `well ${round}` });
  }
  const { changes, ...line } = await remembered(day);
  expect(line).toMatchObject({ state: 'open', reason: 'well 60' });
  const rounds = Array.from({ length: 25 }, (_, index) => 60 - index);
  expect(changes.map(({ reason }) => reason)).toEqual(rounds.flatMap((round) => [`well ${round}`, `call ${round}`]));
  expect(await day.line.readChanges()).toEqual(changes);
  const histories = await historiesOf(day.client, insurerLineId(insurerId));
  expect(histories.length).toBeGreaterThan(1);
  for (const { history } of histories) {
    expect(history.events?.length).toBeLessThan(1_200);
    await replay(history, process.env['PAYLOAD_KEYS'] ?? '');
  }
});
