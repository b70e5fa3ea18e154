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

/** Starts a day. Resolves when a run is fetching care records. */
async function startBusyDay(options: Parameters<typeof startDay>[0] = {}): Promise<Day> {
  const day = await startDay({ ...world, ...options });
  await day.startWorker({ METRICS_INTERVAL_MS: '1000' });
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  return day;
}

/** Pauses the line. The insurer counts later requests as violations. @returns the time to the confirmation, ms */
async function pause(day: Day, command = olga): Promise<number> {
  const askedMs = performance.now();
  expect(await day.line.pause(command)).toMatchObject({ state: 'paused', busy: false });
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

/** Returns the history of the line from `insurerLine` itself. */
const historyOf = (day: Day): Promise<LineHistory> =>
  day.client.workflow.getHandle(insurerLineId(insurerId)).query<LineHistory>(lineHistoryQuery);

/** Sends a pause to the workflow directly, without the client's checks. @returns the type of its failure */
async function failureOf(day: Day, lineOfInsurer: string, request: LineUpdateInput): Promise<string | undefined> {
  const startWorkflowOperation = new WithStartWorkflowOperation<Workflow>('insurerLine', {
    workflowId: insurerLineId(lineOfInsurer),
    taskQueue: syncTaskQueue,
    args: [{ insurerId: lineOfInsurer }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const failure = await day.client.workflow
    .executeUpdateWithStart(pauseUpdate, { args: [request], startWorkflowOperation })
    .catch((error: unknown) => error as WorkflowUpdateFailedError);
  return (failure as { cause?: { type?: string } }).cause?.type;
}

test('during a run, a pause is confirmed within three seconds; no request starts until the resume, and then the run completes', async () => {
  await using day = await startBusyDay({ latencyMs: 300 });
  expect(await pause(day)).toBeLessThan(3_000);
  await expectSilenceFor(day, 2_000);
  expect(await day.until(({ line }) => line.state === 'paused')).toMatchObject({
    line: { by: 'olga', reason: olga.reason },
  });
  await resume(day);
  day.insurer.setFaults({ latencyMs: 20 });
  await expectCompleted(day);
  expect(await historyOf(day)).toMatchObject({
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

test('every operator who pauses a paused line is recorded, and a resume names all of them; repeated commands change nothing', async () => {
  await using day = await startBusyDay();
  const pauses = await Promise.all([day.line.pause(olga), day.line.pause({ operator: 'anna', reason: 'me too' })]);
  await day.insurer.setPaused(true);
  const { by, since } = await day.line.read();
  for (const paused of pauses) expect(paused).toMatchObject({ state: 'paused', by, since, silent: true });
  const berta = { operator: 'berta', reason: 'again' };
  const { openReasons = [] } = await day.line.pause(berta);
  expect(await day.line.pause(berta)).toMatchObject({ by, since, openReasons });
  expect(openReasons.slice(0, 2).map((open) => open.by)).toEqual(expect.arrayContaining(['olga', 'anna']));
  expect(openReasons[2]).toMatchObject({ number: 3, by: 'berta', reason: 'again' });
  const changes = await day.line.readChanges();
  expect(changes.map(({ number, state }) => [number, state])).toEqual([3, 2, 1].map((number) => [number, 'paused']));
  expect(await historyOf(day)).toMatchObject({ by, openReasons, changes });
  await expectSilenceFor(day, 500);
  await day.insurer.setPaused(false);
  expect(await day.line.resume(otto)).toEqual({ state: 'open', busy: false, openReasons });
  expect(await day.line.resume(otto)).toEqual({ state: 'open', busy: false, openReasons: [] });
  expect(await day.line.readChanges()).toMatchObject([{ state: 'open', by: 'otto' }, ...changes]);
  await expectCompleted(day);
});

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const timedOut = { state: 'open', by: 'system', reason: 'the timed pause is over' };

test('a timed pause that was extended, and overlaps with one of another operator, opens the line at its last end and not before', async () => {
  await using day = await startBusyDay();
  await day.line.pause({ ...olga, until: inMs(3_000) });
  const annas = inMs(4_000);
  await day.line.pause({ operator: 'anna', reason: 'me too', until: annas });
  const until = inMs(7_000);
  const openReasons = [
    { number: 1, by: 'olga', until },
    { number: 2, by: 'anna', until: annas },
  ];
  expect(await day.line.pause({ ...olga, until })).toMatchObject({ state: 'paused', until, openReasons });
  await day.insurer.setPaused(true);
  await expectSilenceFor(day, Date.parse(until) - Date.now() - 1_000);
  expect(await day.line.read()).toMatchObject({ by: 'olga', until, openReasons: [{ by: 'olga', until }] });
  await day.insurer.setPaused(false);
  await expect.poll(() => day.line.read(), { timeout: 5_000 }).toMatchObject({ state: 'open' });
  await expect.poll(async () => (await day.stores.gateOf(insurerId).find()).outbox).toEqual([]); // the workflow knows all
  const { changes } = await historyOf(day);
  expect(changes).toMatchObject([timedOut, { by: 'olga', until }, { by: 'anna', until: annas }, { by: 'olga' }]);
  expect(Date.parse(changes[0]?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(until));
  await expectCompleted(day);
  for (const { history } of await historiesOf(day.client, insurerLineId(insurerId)))
    await replay(history, process.env['PAYLOAD_KEYS'] ?? '');
});

test('while Temporal is down, a timed pause lasts beyond its end; when Temporal is back, the line opens by itself', async () => {
  await using day = await startBusyDay();
  await day.stack.stopTemporal();
  const until = inMs(6_000);
  await day.line.pause({ ...olga, until });
  await day.insurer.setPaused(true);
  await expectSilenceFor(day, Date.parse(until) - Date.now() + 2_000);
  expect(await day.line.read()).toMatchObject({ state: 'paused', until });
  await day.insurer.setPaused(false);
  await day.stack.restartTemporal();
  await expect.poll(() => day.line.read(), { timeout: 60_000 }).toMatchObject({ state: 'open' });
  expect(await day.line.readChanges()).toMatchObject([timedOut, { by: 'olga', until }]);
  await expectCompleted(day);
});

test('a timed pause ends although the workflow has continued as new since', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  const countRuns = async (): Promise<number> => (await historiesOf(day.client, insurerLineId(insurerId))).length;
  for (let pauses = 1; pauses % 10 !== 0 || (await countRuns()) < 2; pauses++)
    await day.line.pause({ ...olga, until: inMs(15_000) });
  expect(await day.line.read()).toMatchObject({ state: 'paused', openReasons: [{ number: 1, by: 'olga' }] });
  await expect.poll(() => day.line.read(), { timeout: 20_000 }).toMatchObject({ state: 'open' });
  expect(await historyOf(day)).toMatchObject(timedOut);
  for (const { history } of await historiesOf(day.client, insurerLineId(insurerId)))
    await replay(history, process.env['PAYLOAD_KEYS'] ?? '');
}, 120_000);

test('two operators who resume at the same time get the same confirmation', async () => {
  await using day = await startBusyDay();
  await pause(day);
  await day.insurer.setPaused(false);
  const opened = { state: 'open', busy: false };
  expect(await Promise.all([day.line.resume(otto), day.line.resume(olga)])).toMatchObject([opened, opened]);
  expect(await day.line.readChanges()).toMatchObject([{ state: 'open' }, { number: 1, state: 'paused' }]);
  await expectCompleted(day);
});

test('the client and the workflow reject a pause without a reason, without an operator, or for an unknown insurer', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  for (const command of [
    { operator: 'olga', reason: '' },
    { operator: ' ', reason: 'r' },
  ]) {
    await expect(day.line.pause(command)).rejects.toMatchObject({ fault: 'invalid' });
    expect(await failureOf(day, insurerId, { ...command, seen: 0 })).toBe('CommandInvalid');
  }
  const gate = day.stores.gateOf('unknown');
  const clientOfUnknown = createInsurerLineClient({ temporal: async () => day.client, gate, insurerId: 'unknown' });
  await expect(clientOfUnknown.pause(olga)).rejects.toMatchObject({ fault: 'unknown-insurer' });
  expect(await failureOf(day, 'unknown', { ...olga, seen: 0 })).toBe('UnknownInsurer');
  expect(await failureOf(day, insurerId, { ...olga, seen: 7 })).toBe('Superseded');
  expect(await day.line.read()).toEqual({ state: 'open', busy: false });
  expect(await day.line.readChanges()).toEqual([]);
});

test('while Temporal is down, a pause is confirmed; when Temporal is back, the workflow knows its operator, time and reason', async () => {
  await using day = await startBusyDay();
  await day.stack.stopTemporal();
  expect(await pause(day)).toBeLessThan(6_000);
  const since = (await day.line.read()).since;
  await expectSilenceFor(day, 500);
  await day.stack.restartTemporal();
  await expect
    .poll(() => historyOf(day).catch(() => undefined), { timeout: 30_000 })
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

test('while every worker is frozen, a pause is confirmed once the lease has lapsed; its abandoned update never pauses the line again', async () => {
  await using day = await startDay(world);
  const worker = await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  const bothOf = ({ pid, linePid }: typeof worker): number[] => [linePid, pid];
  for (const pid of bothOf(worker)) process.kill(pid, 'SIGSTOP');
  expect(await pause(day)).toBeLessThan(9_000); // 3 s for the update, 3 s lease
  expect(await day.line.read()).toMatchObject({ state: 'paused', busy: false }); // without a worker that could report it
  await expectSilenceFor(day, 500);
  await resume(day);
  for (const pid of bothOf(worker)) process.kill(pid, 'SIGCONT');
  await expectCompleted(day);
  // the workflow has rejected the abandoned update in the meantime, so there is no third change
  await expect
    .poll(async () => await historyOf(day).catch(() => undefined), { timeout: 20_000 })
    .toMatchObject({ state: 'open', changes: [{ number: 2 }, { number: 1 }] });
  expect(await day.line.read()).toMatchObject({ state: 'open' });
});

test('while no worker runs, a pause is confirmed immediately; it outlasts workers, Temporal, the emulator and a new run', async () => {
  await using day = await startDay(world);
  const first = await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 5);
  await first.stop();
  expect(await pause(day)).toBeLessThan(5_000);
  const second = await day.startWorker();
  await day.sync.start(); // a new day: the run in progress must fetch the new list
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

test('when the insurer answers 401, the line pauses itself, reports it to all readers, and raises an alarm', async () => {
  await using day = await startBusyDay();
  day.insurer.script({ fault: 'unauthorized' });
  const { line } = await day.until((progress) => progress.line.state === 'paused');
  const bySystem = { by: 'system', reason: 'insurer answered 401' };
  expect(line).toMatchObject(bySystem);
  await expectSilenceFor(day, 500);
  const log = readFileSync(join(day.stack.dir, 'worker-0.log'), 'utf8');
  const logged = log.split('\n').flatMap((text) => (text.startsWith('{') ? [JSON.parse(text) as object] : []));
  expect(logged).toContainEqual(expect.objectContaining({ level: 'error', event: 'line paused by the system' }));
  const findAlarm = () => metricsIn(workerLogLines(day)).findLast(({ name }) => name === 'LinePausedBySystem');
  await expect.poll(findAlarm, { timeout: 10_000 }).toMatchObject({ dimensions: { insurerId }, values: [1] });
  expect(await day.line.readChanges()).toMatchObject([{ number: 1, state: 'paused', ...bySystem }]);
  await expect // only the line's holder could report it to the workflow
    .poll(() => historyOf(day).catch(() => undefined), { timeout: 15_000 })
    .toMatchObject({ state: 'paused', ...bySystem, changes: [{ number: 1, ...bySystem }] });
  await resume(day);
  await expectCompleted(day);
});

test('after many changes, the workflow has continued as new and still returns the last 50', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  for (let round = 1; round <= 60; round++) {
    await day.line.pause({ operator: 'olga', reason: `call ${round}` });
    await day.line.resume({ operator: 'otto', reason: `well ${round}` });
  }
  const { changes, ...line } = await historyOf(day);
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
