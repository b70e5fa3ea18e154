import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientConfig, readConfig } from '../../../core/config.ts';
import { patientRecordId } from '../../../core/contract/names.ts';
import type { AccessDraft, AccessEntry } from '../../../core/domain/access.ts';
import { isInProgress, type LastSync } from '../../../core/domain/patient.ts';
import { openStores, promptly } from '../../../core/stores/open-stores.ts';
import { openTemporal } from '../../../core/temporal/connection.ts';
import { createPatientRecordClient, type PatientRecordClient } from '../../../core/temporal/patient-record-client.ts';
import { freePorts } from '../../../local/free-ports.ts';
import { draftFor } from '../../access-draft.fixture.ts';
import { startAwsProxy } from '../../chaos/faulty-proxy.ts';
import { type Day, insurerId, startDay } from '../../day.fixture.ts';
import { historiesOf, replay } from '../../histories.fixture.ts';

const quiet = { rate: 0, notInsuredShare: 0, unknownShare: 0, differingDuplicates: 0, malformedEntries: 0 };
const workersOfToday = { PAYLOAD_KEYS: `test:${Buffer.alloc(32, 'test').toString('base64')}` };
const keys = workersOfToday.PAYLOAD_KEYS;

const clientOf = ({ client, stores }: Pick<Day, 'client' | 'stores'>): PatientRecordClient =>
  createPatientRecordClient({
    temporal: async () => client,
    stores,
    config: { INSURER_ID: insurerId, CARE_MAX_ATTEMPTS: 40 },
  });

/** Opens clients and connections of their own, as a separate process has. */
function openCaller({ stack }: Day) {
  const config = readConfig(clientConfig, { ...stack.environment, ...workersOfToday, INSURER_ID: insurerId });
  const stores = openStores(config, promptly);
  const client = openTemporal(config);
  return {
    people: clientOf({ client, stores }),
    close: async (): Promise<void> => {
      await client.connection.close();
      stores.close();
    },
  };
}

const ask = async (people: PatientRecordClient, patientRef: string) => {
  const startedAt = performance.now();
  const lastSync = await people.requestSync({ patientRef, access: draftFor(patientRef) });
  return { lastSync, tookMs: performance.now() - startedAt };
};

/** Returns the patient's last sync once it has ended. */
async function synced({ stores }: Day, patientRef: string): Promise<LastSync> {
  for (;;) {
    const lastSync = (await stores.patients.readLastSync(patientRef).catch(() => undefined))?.lastSync;
    if (lastSync !== undefined && !isInProgress(lastSync)) return lastSync;
    await sleep(50);
  }
}

const markerOf = async ({ stores }: Day, patientRef: string) =>
  (await stores.patients.readLastSync(patientRef))?.lastSync;

async function accessOf({ stores }: Day, patientRef: string): Promise<AccessEntry[]> {
  const entries: AccessEntry[] = [];
  let afterSeq: number | undefined;
  do {
    const page = await stores.accessLog.read(patientRef, 100, afterSeq);
    entries.push(...page.entries);
    afterSeq = page.lastKey;
  } while (afterSeq !== undefined);
  return entries;
}

/** Returns the requests for a patient's care records that the insurer has received. */
const requestsFor = (day: Day, kvnr: string) => day.insurer.log().filter((entry) => entry.kvnr === kvnr);

/** Starts a day and completes a run, so that all patients are stored; then clears the insurer's log. */
async function startStoredDay(options: Parameters<typeof startDay>[0] = {}) {
  const day = await startDay({ patients: 12, ...quiet, ...options }, workersOfToday);
  const worker = await day.startWorker();
  await day.runToEnd();
  day.insurer.resetLog();
  const kvnrs = day.insurer.patients().map(({ kvnr }) => kvnr);
  return { day, worker, kvnrs, people: clientOf(day) };
}

describe('with a worker and without other load', () => {
  let stored: Awaited<ReturnType<typeof startStoredDay>>;
  let next = 0;
  /** Returns a patient that no other test uses. */
  const newPatient = () => {
    const kvnr = stored.kvnrs[next++] ?? '';
    return { kvnr, patientRef: stored.day.refOf(kvnr) };
  };
  beforeAll(async () => {
    stored = await startStoredDay();
  });
  afterAll(async () => {
    await stored.day[Symbol.asyncDispose]();
  });

  test('a sync is promised with marker and access entry, and completes', async () => {
    const { day, people } = stored;
    const { kvnr, patientRef } = newPatient();
    const before = await day.stores.patients.get(patientRef);
    const { lastSync } = await ask(people, patientRef);
    expect(lastSync).toMatchObject({ requestedBy: 'clara' });
    expect(isInProgress(lastSync)).toBe(true); // requested, or already running
    const { syncId } = lastSync;
    expect(await markerOf(day, patientRef)).toMatchObject({ syncId });
    expect(await synced(day, patientRef)).toMatchObject({ syncId, state: 'completed', requestedBy: 'clara' });
    const after = await day.stores.patients.get(patientRef);
    expect((after?.careVersion ?? '') > (before?.careVersion ?? '')).toBe(true);
    expect(requestsFor(day, kvnr)).toHaveLength(1);
    const [entry] = (await accessOf(day, patientRef)).filter(({ operation }) => operation === 'request-sync');
    expect(entry).toMatchObject({ agent: { who: 'clara' }, entity: { kind: 'sync', id: syncId } });
    await expect.poll(() => day.keysUnder('payloads/')).toEqual([]); // nobody waits for the deletions
  });

  test('nobody waits for the state of a sync: the fetch begins with it, and the end comes with the records', async () => {
    const { day, people } = stored;
    const { patientRef } = newPatient();
    await ask(people, patientRef);
    expect(await synced(day, patientRef)).toMatchObject({ state: 'completed' });
    const [{ history } = { history: undefined }] = await historiesOf(day.client, patientRecordId(patientRef));
    const scheduled = (history?.events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity }) =>
      activity ? [{ name: activity.activityType?.name, task: `${activity.workflowTaskCompletedEventId}` }] : [],
    );
    const names = ['writeSyncRequest', 'beginSync', 'fetchCareRecords', 'storeCareRecords'];
    expect(scheduled.map(({ name }) => name)).toEqual(names);
    expect(scheduled[1]?.task).toBe(scheduled[2]?.task);
  });

  test('a request during a sync joins it and causes no fetch, and a later request starts a new sync', async () => {
    const { day, people } = stored;
    const { kvnr, patientRef } = newPatient();
    day.insurer.setFaults({ latencyMs: 500 });
    const asked = await Promise.all([ask(people, patientRef), ask(people, patientRef), ask(people, patientRef)]);
    expect(new Set(asked.map(({ lastSync }) => lastSync.syncId)).size).toBe(1);
    await day.insurer.until(({ inFlight }) => inFlight === 1);
    const joined = await ask(people, patientRef);
    expect(joined.lastSync).toMatchObject({ syncId: asked[0]?.lastSync.syncId, state: 'running' });
    await synced(day, patientRef);
    day.insurer.setFaults({ latencyMs: 2 });
    expect(requestsFor(day, kvnr)).toHaveLength(1);
    const again = await ask(people, patientRef);
    expect(again.lastSync.syncId).not.toBe(joined.lastSync.syncId);
    await synced(day, patientRef);
    expect(requestsFor(day, kvnr)).toHaveLength(2);
  });

  test('a request for an unknown patient is rejected, and no access entry is written', async () => {
    const { day, people } = stored;
    const patientRef = day.refOf('A000000000');
    await expect(ask(people, patientRef)).rejects.toMatchObject({ fault: 'patient-unknown' });
    expect(await people.readLastSync(patientRef)).toBeUndefined();
    expect(await accessOf(day, patientRef)).toEqual([]);
  });

  test('after a 410 the patient is removed, and the last sync is not-insured', async () => {
    const { day, people } = stored;
    const { kvnr, patientRef } = newPatient();
    day.insurer.script({ match: kvnr, fault: 'not-insured' });
    const { lastSync } = await ask(people, patientRef);
    const { syncId, requestedBy } = lastSync;
    await expect
      .poll(() => people.readLastSync(patientRef), { timeout: 20_000 })
      .toMatchObject({ lastSync: { syncId, state: 'not-insured', requestedBy, finishedAt: expect.any(String) } });
    await expect.poll(() => day.careVersionsOf(patientRef), { timeout: 20_000 }).toEqual([]);
    expect(await day.stores.patients.get(patientRef)).toBeUndefined();
    await expect(ask(people, patientRef)).rejects.toMatchObject({ fault: 'patient-unknown' });
    expect(requestsFor(day, kvnr)).toHaveLength(1);
  });

  test('a failed sync has a fixed code as its reason', async () => {
    const { day, people } = stored;
    const { kvnr, patientRef } = newPatient();
    day.insurer.script({ match: kvnr, fault: 'unknown' });
    await ask(people, patientRef);
    expect(await synced(day, patientRef)).toMatchObject({ state: 'failed', error: 'PatientUnknown' });
  });

  test('a sync of a terminated workflow is taken over by the next request', async () => {
    const { day, people } = stored;
    const { patientRef } = newPatient();
    day.insurer.setFaults({ latencyMs: 500 });
    const { lastSync } = await ask(people, patientRef);
    await day.insurer.until(({ inFlight }) => inFlight === 1);
    await day.client.workflow.getHandle(patientRecordId(patientRef)).terminate();
    day.insurer.setFaults({ latencyMs: 2 });
    const adopted = await ask(people, patientRef);
    expect(adopted.lastSync).toMatchObject({ syncId: lastSync.syncId, state: 'running' });
    expect(await synced(day, patientRef)).toMatchObject({ syncId: lastSync.syncId, state: 'completed' });
  });

  test('a cancelled workflow leaves nothing staged, and no sync marked as running', async () => {
    const { day, people } = stored;
    const { patientRef } = newPatient();
    day.insurer.setFaults({ latencyMs: 500 });
    await ask(people, patientRef);
    await day.insurer.until(({ inFlight }) => inFlight === 1);
    await day.client.workflow.getHandle(patientRecordId(patientRef)).cancel();
    expect(await synced(day, patientRef)).toMatchObject({ state: 'failed', error: 'Cancelled' });
    day.insurer.setFaults({ latencyMs: 2 });
    expect(await day.keysUnder('payloads/')).toEqual([]);
    await ask(people, patientRef);
    expect(await synced(day, patientRef)).toMatchObject({ state: 'completed' });
  });

  test.each([1, 20])(
    'a hundred simultaneous accesses from %i process(es) give a hundred entries in a valid chain',
    async (processes) => {
      const { day } = stored;
      const { patientRef } = newPatient();
      const before = (await accessOf(day, patientRef)).length;
      const drafts = Array.from({ length: 100 }, () => draftFor(patientRef, 'read-patient'));
      const callers = Array.from({ length: processes }, () => openCaller(day));
      await Promise.all(drafts.map((draft, index) => callers[index % processes]?.people.recordAccess(draft)));
      for (const caller of callers) await caller.close();
      const entries = await accessOf(day, patientRef);
      expect(new Set(entries.slice(before).map(({ id }) => id))).toEqual(new Set(drafts.map(({ id }) => id)));
      expect(entries).toHaveLength(before + 100);
      expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: before + 100 });
      for (const { history } of await historiesOf(day.client, patientRecordId(patientRef))) await replay(history, keys);
    },
  );

  test('an access takes three billed actions: a start, an update, and an activity without a timer', async () => {
    const { day, people } = stored;
    const { patientRef } = newPatient();
    await people.recordAccess(draftFor(patientRef, 'read-patient'));
    await day.client.workflow.getHandle(patientRecordId(patientRef)).result(); // it ends by itself
    const [newest] = await historiesOf(day.client, patientRecordId(patientRef));
    const scheduled = (newest?.history.events ?? []).map((event) => [
      event.activityTaskScheduledEventAttributes?.activityType?.name,
      event.timerStartedEventAttributes && 'timer',
    ]);
    expect(scheduled.flat().filter(Boolean)).toEqual(['appendAccess']);
  });

  test('a workflow with many requests continues as new, loses nothing, and each of its histories can be replayed', async () => {
    const { day, people } = stored;
    const { patientRef } = newPatient();
    const workflowId = patientRecordId(patientRef);
    const drafts: AccessDraft[] = [];
    const use = async (): Promise<void> => {
      for (let count = 0; count < 20; count++) {
        const draft = draftFor(patientRef, 'read-patient');
        drafts.push(draft);
        await people.recordAccess(draft);
      }
    };
    let { lastSync: last }: { lastSync: LastSync } = await ask(people, patientRef); // one that an access starts ends with it
    do {
      await Promise.all([use(), use(), use(), use(), use(), use()]);
      ({ lastSync: last } = await ask(people, patientRef));
    } while ((await historiesOf(day.client, workflowId)).length < 2);
    await synced(day, patientRef);
    const recorded = new Set((await accessOf(day, patientRef)).map(({ id }) => id));
    expect(drafts.filter(({ id }) => !recorded.has(id))).toEqual([]);
    expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
    expect(await markerOf(day, patientRef)).toMatchObject({ syncId: last.syncId, state: 'completed' });
    for (const { history } of await historiesOf(day.client, workflowId)) await replay(history, keys);
  });
});

test('during a run, a sync on demand starts after at most one request of other patients', async () => {
  await using day = await startDay({ patients: 150, ...quiet, rate: 0.5, latencyMs: 60 }, workersOfToday);
  const people = clientOf(day);
  await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 10);
  const served = new Set(
    day.insurer
      .log()
      .filter(({ outcome }) => outcome === 'ok')
      .map(({ kvnr }) => kvnr),
  );
  const known = day.insurer.patients().filter(({ kvnr }) => served.has(kvnr));
  for (const { kvnr } of known.slice(0, 5)) {
    const patientRef = day.refOf(kvnr);
    const seen = day.insurer.log().length;
    await ask(people, patientRef);
    expect(await synced(day, patientRef)).toMatchObject({ state: 'completed' });
    const log = day.insurer.log().slice(seen);
    const own = log.findIndex((entry) => entry.kvnr === kvnr);
    const begunAt = await fetchBegunAt(day, patientRef);
    expect(log.slice(0, own).filter(({ startedAt }) => startedAt > begunAt).length).toBeLessThanOrEqual(1);
    const last = log.findLastIndex((entry) => entry.kvnr === kvnr);
    expect(new Set(log.slice(own, last + 1).map((entry) => entry.kvnr))).toEqual(new Set([kvnr])); // no other patient in between
  }
  expect((await day.sync.readProgress())?.careRecords.pending).toBeGreaterThan(0); // the run kept the line busy all the time
});

/** Returns when the line process started the fetch of a patient's last sync, epoch ms. */
async function fetchBegunAt(day: Day, patientRef: string): Promise<number> {
  const [newest] = await historiesOf(day.client, patientRecordId(patientRef));
  const events = newest?.history.events ?? [];
  const scheduled = events.find(
    ({ activityTaskScheduledEventAttributes: facts }) => facts?.activityType?.name === 'fetchCareRecords',
  );
  const started = events.find(
    ({ activityTaskStartedEventAttributes: facts }) =>
      facts?.scheduledEventId !== undefined && String(facts.scheduledEventId) === String(scheduled?.eventId),
  );
  const { seconds, nanos } = started?.eventTime ?? {};
  return Number(seconds) * 1_000 + Number(nanos ?? 0) / 1e6;
}

test('without a worker a sync is promised within a second, and completes once a worker runs', async () => {
  const { day, worker, kvnrs, people } = await startStoredDay();
  await using _ = day;
  const [idle = '', used = ''] = kvnrs;
  await ask(people, day.refOf(used)); // its workflow is in the cache of the worker that dies
  await synced(day, day.refOf(used));
  await worker.kill();
  for (const kvnr of [idle, used]) {
    const patientRef = day.refOf(kvnr);
    const asked = await Promise.all([ask(people, patientRef), ask(people, patientRef)]);
    for (const { lastSync, tookMs } of asked) {
      expect(tookMs).toBeLessThan(1_000);
      expect(lastSync).toEqual({ ...asked[0]?.lastSync, state: 'requested' });
      expect(await markerOf(day, patientRef)).toEqual(lastSync);
    }
  }
  await day.startWorker();
  for (const kvnr of [idle, used]) {
    expect(await synced(day, day.refOf(kvnr))).toMatchObject({ state: 'completed' });
    const entries = await accessOf(day, day.refOf(kvnr));
    expect(entries.filter(({ operation }) => operation === 'request-sync')).toHaveLength(kvnr === used ? 3 : 2);
  }
  await sleep(2_000); // so that the updates that had timed out run as well
  for (const kvnr of [idle, used]) {
    expect(requestsFor(day, kvnr)).toHaveLength(kvnr === used ? 2 : 1);
    const workflowId = patientRecordId(day.refOf(kvnr));
    for (const { history } of await historiesOf(day.client, workflowId)) await replay(history, keys);
  }
});

test('without Temporal no sync is promised, and accesses are still recorded', async () => {
  const { day, kvnrs } = await startStoredDay();
  await using _ = day;
  await using silent = await startSilentServer();
  const [closed = 0] = await freePorts(1);
  for (const port of [closed, silent.port]) {
    const connection = Connection.lazy({ address: `127.0.0.1:${port}` });
    const people = clientOf({ stores: day.stores, client: new Client({ connection }) });
    const patientRef = day.refOf(kvnrs[0] ?? '');
    const startedAt = performance.now();
    await expect(ask(people, patientRef)).rejects.toMatchObject({ fault: 'temporal-unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(await markerOf(day, patientRef)).toBeUndefined();
    const draft = draftFor(patientRef, 'read-patient');
    await people.recordAccess(draft);
    expect((await accessOf(day, patientRef)).map(({ id }) => id)).toContain(draft.id);
    await connection.close();
  }
});

/** Starts a server that accepts connections and never answers. */
async function startSilentServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

test('while the line is paused, a sync is promised and waits', async () => {
  const { day, kvnrs, people } = await startStoredDay();
  await using _ = day;
  await day.line.pause({ operator: 'olga', reason: 'maintenance' });
  const patientRef = day.refOf(kvnrs[0] ?? '');
  const { lastSync } = await ask(people, patientRef);
  expect(lastSync.state).toBe('requested');
  await sleep(1_500);
  expect(day.insurer.summary().requests).toBe(0);
  const waiting = await markerOf(day, patientRef);
  expect(waiting?.syncId).toBe(lastSync.syncId);
  expect(waiting && isInProgress(waiting)).toBe(true);
  await day.line.resume({ operator: 'olga', reason: 'over' });
  expect(await synced(day, patientRef)).toMatchObject({ syncId: lastSync.syncId, state: 'completed' });
});

test('after a worker is killed with -9 during a sync, the next worker completes the sync', async () => {
  const { day, worker, kvnrs, people } = await startStoredDay();
  await using _ = day;
  day.insurer.setFaults({ latencyMs: 1_000 });
  const patientRef = day.refOf(kvnrs[0] ?? '');
  const { lastSync } = await ask(people, patientRef);
  await day.insurer.until(({ inFlight }) => inFlight === 1);
  await worker.kill();
  day.insurer.setFaults({ latencyMs: 2 });
  await day.startWorker();
  expect(await synced(day, patientRef)).toMatchObject({ syncId: lastSync.syncId, state: 'completed' });
  expect(day.insurer.summary().violations).toBe(0);
  await expect.poll(() => day.keysUnder('payloads/')).toEqual([]);
  expect(await day.careVersionsOf(patientRef)).toHaveLength(1);
});

test('while activities of the daily sync wait for the bucket in all their slots, a sync on demand completes', async () => {
  await using day = await startDay({ patients: 60, ...quiet }, workersOfToday);
  let hanging = 0;
  const bucket = await startAwsProxy(day.stack.environment['AWS_ENDPOINT_URL_S3'] ?? '', 0, ({ method, url = '' }) => {
    const isShard = method === 'GET' && url.includes('/shards/');
    if (isShard) hanging += 1;
    return isShard;
  });
  onTestFinished(() => bucket.close());
  await day.startWorker({ AWS_ENDPOINT_URL_S3: `http://${bucket.address}` });
  await day.runToEnd();
  const patientRef = day.refOf(day.insurer.patients()[0]?.kvnr ?? '');
  day.insurer.nextDay({ new: 20 });
  bucket.startFault('silent');
  await day.sync.start();
  while (hanging < 8) await sleep(50); // the slots of a worker for activities about lists
  const askedAt = performance.now();
  await ask(clientOf(day), patientRef);
  expect(await synced(day, patientRef)).toMatchObject({ state: 'completed' });
  expect(performance.now() - askedAt).toBeLessThan(8_000); // after 10 s the first read gives up, and would free a slot
  expect(await day.until(() => true)).toMatchObject({ state: 'running', phase: 'diff' });
  bucket.endFault();
  expect(await day.ended()).toMatchObject({ state: 'completed', patients: { new: 20 } });
});
