import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import proto from '@temporalio/proto';
import { expect, test } from 'vitest';
import { dailySyncId } from '../../core/contract/names.ts';
import { createInsurerLineClient } from '../../core/temporal/insurer-line-client.ts';
import { testDir } from '../../tools/test-dir.ts';
import { type Day, insurerId, startDay } from '../day.fixture.ts';
import { drawFault, faults, recordLoss, type Scene } from './faults.ts';
import { at, brokenGuarantees, evidence, idleTimes, pauseTimes, type Row, row, unknowableRequests } from './judge.ts';
import { Operators } from './operators.ts';
import { leaseMs, type Member, nowMs, pace, WorkerPool, wasUnimpaired } from './worker-pool.ts';

/**
 * A seed repeats the faults of a run. The processes react differently each time, so a failure may need several runs.
 * CHAOS_TRACE=1 prints each fault.
 */
const seed = Number(process.env['CHAOS_SEED'] ?? 1);
const faultsWanted = Number(process.env['CHAOS_FAULTS'] ?? 40);
/** Time in ms without a request on an open line, after which it counts as stuck. */
const standstillMs = 60_000 * pace;

/** Number of attempts at one workflow task after which the faults cannot be the cause. Later attempts are minutes apart. */
const stuckAttempts = 6;

/** Number of faults after which the test waits until the line is in use again. */
const faultsPerUsageCheck = 5;
/** Number of single faults, with all else working, which measure the recovery. */
const calmRounds = Math.max(5, Math.ceil(faultsWanted / 70));
/** Time limit in ms, far more than needed, because the machine may be busy. */
const limitMs = pace * (faultsWanted * 4_000 + calmRounds * 30_000 + 300_000);

const { PENDING_ACTIVITY_STATE_SCHEDULED: scheduled } = proto.temporal.api.enums.v1.PendingActivityState;

const world = {
  seed,
  patients: 250,
  rate: 0.7,
  mix: {
    ...{ refused: 8, 'reset-before-headers': 14, 'reset-in-body': 12, 'server-error': 24, 'cut-short': 10 },
    ...{ 'chunked-without-end': 8, 'html-page': 6, 'broken-json': 5, 'wrong-patient': 5, redirect: 3 },
    ...{ hang: 0.3, stalled: 0.3, busy: 1 },
  },
  ...{ notInsuredShare: 0.02, unknownShare: 0, differingDuplicates: 0, malformedEntries: 0 },
  keepLog: 1_000_000,
};

test(`${faultsWanted} faults: both guarantees are kept, and every run is complete`, {
  timeout: limitMs + 60_000,
}, async () => {
  say(`CHAOS_SEED=${seed} CHAOS_FAULTS=${faultsWanted}`);
  await using day = await startDay(world);
  await using pool = new WorkerPool(day);
  const line = createInsurerLineClient({
    temporal: async () => day.client,
    gate: day.stores.gateOf(insurerId),
    insurerId,
  });
  const operators = new Operators(line, day.insurer, pool);
  const days = new Days(day);
  const scene: Scene = {
    ...{ day, pool, operators, losses: [], inProgress: new Set(), isTemporalRestarting: false },
    hasWork: () => days.hasWork,
  };
  const applied: { readonly kind: string; readonly description: string }[] = [];
  try {
    await pool.startMissing();
    const allDays = days.run();
    allDays.catch(() => {}); // checked between the faults
    const tooLate = sleep(limitMs).then(() => Promise.reject(new Error('the run does not end')));
    tooLate.catch(() => {});
    const stuck = runIsStuck(day);
    stuck.catch(() => {});
    await Promise.race([day.insurer.requestArrives(1), tooLate]);
    for (let number = 1; applied.length < faultsWanted; number += 1) {
      if (pool.present.length === 0) await Promise.race([pool.startMissing(), tooLate]); // a start takes long on a busy machine
      const fault = drawFault(seed, number);
      const atMs = nowMs();
      const done = await Promise.race([faults[fault.kind].apply(fault.random, scene), tooLate]);
      if (done !== undefined) applied.push({ kind: fault.kind, description: `${at(atMs)} ${fault.kind}: ${done}` });
      if (process.env['CHAOS_TRACE']) say(`${applied.length} ${applied.at(-1)?.description}; ${describeScene(scene)}`);
      await Promise.race([sleep(fault.gapMs), allDays, stuck, tooLate]);
      expect(brokenGuarantees(scene)).toEqual([]);
      await expectUsage(scene);
      if (number % faultsPerUsageCheck === 0) await awaitRequests(day);
    }
    await Promise.race([Promise.all(scene.inProgress), tooLate]);
    for (let round = 0; round < calmRounds; round += 1) await Promise.race([calmRound(scene), allDays, stuck, tooLate]);
    days.isLast = true;
    await Promise.race([allDays, stuck, tooLate]);
    expect(brokenGuarantees(scene)).toEqual([]);
  } catch (error) {
    const kept = await keepEvidence(day);
    say(
      [
        `CHAOS_SEED=${seed} failed after ${applied.length} faults; logs of the workers, and the run's history: ${kept}`,
        '',
      ].join('\n'),
    );
    say(
      applied
        .slice(-40)
        .map(({ description }) => description)
        .join('\n'),
    );
    say([...brokenGuarantees(scene), ...evidence(day.insurer)].join('\n'));
    throw error;
  } finally {
    say(table(rows(scene, applied, days)));
  }
});

/** Repeats simulated days: a run and the complete check of its result, then new people on the list. */
class Days {
  isLast = false;
  completed = 0;
  readonly #day: Day;
  #served = 0;
  #expected = 0;

  constructor(day: Day) {
    this.#day = day;
  }

  /** Whether enough patients are pending to keep the line busy. */
  get hasWork(): boolean {
    const { insurer } = this.#day;
    const left = this.#expected - (insurer.summary().patientsServed - this.#served);
    return left >= 20 && insurer.log().at(-1)?.kind === 'care';
  }

  async run(): Promise<void> {
    const { insurer, sync } = this.#day;
    for (;;) {
      const stored = new Set(await this.#day.storedRefs());
      this.#served = insurer.summary().patientsServed;
      this.#expected = insurer.patients().filter(({ kvnr }) => !stored.has(this.#day.refOf(kvnr))).length;
      while (!(await sync.start().catch(() => undefined))) await sleep(200); // Temporal may be restarting
      await expectComplete(this.#day, stored);
      this.completed += 1;
      if (this.isLast) return;
      insurer.nextDay({ new: 250, gone: 5 });
    }
  }
}

/** Checks that each patient is stored once with the records that were sent, that the run has counted each once, and that nothing staged is left. */
async function expectComplete(day: Day, storedBefore: ReadonlySet<string>): Promise<void> {
  const progress = await day.ended();
  const patients = day.insurer.patients().map((patient) => ({ ...patient, ref: day.refOf(patient.kvnr) }));
  const fresh = patients.filter(({ ref }) => !storedBefore.has(ref));
  const insured = patients.filter(({ kind }) => kind === 'ok');
  const freshInsured = fresh.filter(({ kind }) => kind === 'ok');
  const listed = new Set(patients.map(({ ref }) => ref));
  expect(progress).toMatchObject({
    state: 'completed',
    patients: {
      ...{ listed: patients.length, new: fresh.length, changed: 0 },
      removed: [...storedBefore].filter((ref) => !listed.has(ref)).length,
      unchanged: patients.length - fresh.length,
    },
    careRecords: {
      ...{ total: fresh.length, done: freshInsured.length, pending: 0, failed: 0 },
      notInsured: fresh.length - freshInsured.length,
    },
  });
  expect(new Set(await day.storedRefs())).toEqual(new Set(insured.map(({ ref }) => ref)));
  for (const { ref, careRecords } of freshInsured) {
    const { careRecords: sent } = JSON.parse(careRecords ?? '') as { careRecords: unknown[] };
    expect((await day.careRecordTexts(ref)).map((text) => JSON.parse(text) as unknown)).toEqual(sent);
  }
  expect(await day.keysUnder('payloads/')).toEqual([]);
  expect(await day.keysUnder('lists/')).toEqual([]);
}

/** Resolves after a few requests, or after a while, because an unused line proves little. */
async function awaitRequests({ insurer }: Day): Promise<void> {
  const { requests } = insurer.summary();
  await insurer.requestArrives(requests + 5, AbortSignal.timeout(2.5 * leaseMs)).catch(() => {});
}

/** Rejects if no request arrives although the line is open and a worker is there. */
async function expectUsage({ day: { insurer }, operators, pool }: Scene): Promise<void> {
  const fromMs = nowMs() - standstillMs;
  const isExcused =
    operators.closed.some(({ untilMs = nowMs() }) => untilMs > fromMs) ||
    !pool.all.some(({ readyAtMs }) => readyAtMs < fromMs);
  const lastMs = insurer.log().at(-1)?.startedAt ?? nowMs();
  if (!isExcused && lastMs < fromMs) throw new Error(`no request since ${at(lastMs)}`);
}

/** Rejects once no worker can continue the run, because its workflow task fails or times out repeatedly. */
async function runIsStuck({ client }: Day): Promise<never> {
  for (;;) {
    await sleep(5_000);
    const found = await client.workflow
      .getHandle(dailySyncId(insurerId))
      .describe()
      .catch(() => undefined); // Temporal may be restarting
    if ((found?.raw.pendingWorkflowTask?.attempt ?? 0) >= stuckAttempts)
      throw new Error('no worker can continue the run');
  }
}

/** Kills the holder, stops the next one, and pauses the line once, each when all workers are well and have work. */
async function calmRound(scene: Scene): Promise<void> {
  const { pool, day, operators } = scene;
  for (const how of ['kill', 'stop'] as const) {
    const holder = await calm(scene);
    recordLoss(scene, how === 'kill' ? 'kill -9' : 'SIGTERM', holder, 'alone');
    pool.wanted -= 1; // a worker that starts would take the processor that the others need
    await pool.end(holder, how);
    const { requests } = day.insurer.summary();
    await day.insurer.requestArrives(requests + 1);
    pool.wanted += 1;
  }
  await calm(scene);
  await operators.act('one', 200);
}

/** Resolves with the holder once no worker has had an impairment for a while and the line is busy. */
async function calm({ pool, day, hasWork }: Scene): Promise<Member> {
  for (;;) {
    const { present, wanted, holder } = pool;
    const sinceMs = nowMs() - 1_000;
    const areWell = present.length >= wanted && present.every((member) => wasUnimpaired(member, sinceMs, nowMs()));
    if (areWell && holder !== undefined && hasWork() && (await isLineAskedFor(day))) return holder;
    await sleep(100);
  }
}

/**
 * Returns whether enough tasks wait for the holder. A run whose workflow task died with a worker schedules nothing until the
 * task has timed out. A task in its backoff, or one of a dead worker, does not wait either (docs/explanation/limits.md).
 */
async function isLineAskedFor({ client }: Day): Promise<boolean> {
  const { raw } = await client.workflow.getHandle(dailySyncId(insurerId)).describe();
  const waiting = (raw.pendingActivities ?? []).filter(({ state, attempt }) => state === scheduled && attempt === 1);
  return waiting.length >= 5;
}

const describeScene = ({ pool, day }: Scene): string => {
  const { requests, patientsServed } = day.insurer.summary();
  return `holder ${pool.holder?.name}, ${pool.present.length} workers, ${requests} requests, ${patientsServed} served`;
};

function rows(scene: Scene, applied: readonly { readonly kind: string }[], days: Days): Row[] {
  const kinds = Object.keys(faults).map(
    (kind): Row => ({ what: kind, count: applied.filter((one) => one.kind === kind).length }),
  );
  const idle = idleTimes(scene);
  const after = (how: string, when: string): number[] =>
    idle.filter((one) => one.how === how && one.when === when).map(({ ms }) => ms);
  const { unimpaired, impaired } = pauseTimes(scene);
  const unknowable = unknowableRequests(scene);
  const { requests, failureRate, patientsServed, servedAgain } = scene.day.insurer.summary();
  return [
    ...kinds,
    { what: 'faults', count: applied.length },
    row('pause confirmed, holder well', unimpaired, '1 s + 2 s of grace'),
    row('pause confirmed, holder frozen, killed or disconnected', impaired),
    row('line idle after kill -9, all else well', after('kill -9', 'alone'), `LEASE_MS + 2 s: ${leaseMs + 2_000} ms`),
    row('line idle after SIGTERM, all else well', after('SIGTERM', 'alone'), '1 s'),
    row('line idle after kill -9, among other faults', after('kill -9', 'among other faults')),
    row('line idle after SIGTERM, among other faults', after('SIGTERM', 'among other faults')),
    { what: 'runs completed, each checked as a whole', count: days.completed },
    { what: `requests (${Math.round(failureRate * 100)} % failed)`, count: requests },
    { what: `patients served (${servedAgain} requests for one served before)`, count: patientsServed },
    { what: 'requests against a Retry-After that no worker could know', count: unknowable.beforeRetryAfter },
    { what: 'requests against a 410 that no worker could know', count: unknowable.after410 },
    { what: 'workers started', count: scene.pool.all.length },
    { what: 'workers that ended by themselves', count: scene.pool.endedByThemselves },
    ...Object.entries(scene.operators.rejections).map(
      ([what, count]): Row => ({ what: `answers "${what}" to operators`, count }),
    ),
  ];
}

function table(all: readonly Row[]): string {
  const cells = all.map(({ what, count, p50Ms, maxMs, goal }) => [
    what.padEnd(56),
    String(count).padStart(7),
    (p50Ms === undefined ? '' : `p50 ${p50Ms} ms`).padStart(14),
    (maxMs === undefined ? '' : `max ${maxMs} ms`).padStart(14),
    goal === undefined ? '' : `  goal ${goal}`,
  ]);
  return cells.map((line) => line.join(' ').trimEnd()).join('\n');
}

/** Saves the workers' logs and the run's history. @returns the folder, which outlives the stack */
async function keepEvidence({ client, stack: { dir } }: Day): Promise<string> {
  const kept = join(testDir, `chaos-${seed}`);
  mkdirSync(kept, { recursive: true });
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.log')))
    cpSync(join(dir, file), join(kept, file));
  const history = await client.workflow.getHandle(dailySyncId(insurerId)).fetchHistory();
  writeFileSync(join(kept, 'history.json'), JSON.stringify(historyToJSON(history), null, 1));
  return kept;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
