import { randomBytes, randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type {
  RemovePatientInput,
  StoreCareRecordsInput,
  StoreCareRecordsResult,
} from '../../core/contract/sync-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { joinAnswer } from '../../core/domain/split-answer.ts';
import { AccessLogError } from '../../core/stores/access-log.ts';
import { Crash, newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { createDiscardStaged } from './discard-staged.ts';
import { endSyncIn } from './end-sync.fixture.ts';
import { createRemovePatient } from './remove-patient.ts';
import { createStoreCareRecords } from './store-care-records.ts';

const emulated = openEmulatedStores();
const stores = { ...emulated, endSync: endSyncIn(emulated.patients) };
const { patients, careRecords, payloads, accessLog } = stores;
const { storeCareRecords } = createStoreCareRecords(stores);
const { discardStaged } = createDiscardStaged(stores);
const activities = createRemovePatient(stores);

const isCrash = (error: unknown): boolean =>
  error instanceof Crash || (error instanceof AccessLogError && error.cause instanceof Crash);
/** Without it each simulated crash would log a stack. */
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const kvnr = 'A123456780' as Kvnr;
const versionOf = (order: number) => `000001764028800-${String(order).padStart(9, '0')}`;

/** An answer with a document, a record and a surrounding field too large for an item, and a record id of any characters. */
const answerOf = (title: string) =>
  JSON.stringify({
    kvnr,
    careRecords: [
      { title, id: 'z#1', documents: [{ id: 'd', contentBase64: `${title}!no base64` }] },
      { title, id: 'large', text: title.repeat(100_000) },
      ...Array.from({ length: 30 }, (_, index) => ({ title, id: `${index} \ud800"ä` })),
    ],
    page: title.repeat(100_000),
  });

async function listedPatient(body = '{}') {
  const patientRef = newPatientRef();
  await patients.storeNew([{ patientRef, kvnr, body, contentHash: 'h' }], 'list');
  return patientRef;
}

async function fetched(patientRef: string, order: number, answer: string): Promise<StoreCareRecordsInput> {
  const syncId = randomUUID();
  const payload = await payloads.put({ syncId, patientRef }, Buffer.from(answer));
  return { patientRef, syncId, payload, fetchOrder: versionOf(order) };
}

const store = async (input: StoreCareRecordsInput, activity = storeCareRecords): Promise<StoreCareRecordsResult> => {
  const environment = new MockActivityEnvironment({}, { logger: silent });
  return await environment.run<[StoreCareRecordsInput], StoreCareRecordsResult, typeof activity>(activity, input);
};

/** Removes a patient as after a 410. */
const removePatient = async ({ patientRef }: { readonly patientRef: string }): Promise<void> => {
  const input = { patientRef, revision: 1 };
  const { careVersion } = (await patients.get(patientRef)) ?? {};
  await patients.markNotInsured(patientRef, 'run', { revision: 1, ...(careVersion !== undefined && { careVersion }) });
  const environment = new MockActivityEnvironment({}, { logger: silent });
  await environment.run<[typeof input], void, typeof activities.removePatient>(activities.removePatient, input);
};

/** Reads the answer that careVersion points to, as a reader does. */
async function readAnswer(patientRef: string): Promise<string | undefined> {
  for (;;) {
    const careVersion = (await patients.get(patientRef))?.careVersion;
    if (careVersion === undefined) return undefined;
    const page = await careRecords.read(patientRef, careVersion);
    const envelope = await careRecords.readEnvelope(patientRef, careVersion);
    if (page === undefined || envelope === undefined) continue; // replaced meanwhile
    try {
      const records = await Promise.all(
        page.records.map(async (record) => ({ ...record, documents: await careRecords.readDocuments(record) })),
      );
      return joinAnswer({ kvnr, envelope, records });
    } catch {
      // replaced meanwhile
    }
  }
}

/** Returns a patient's access log, and checks that its chain is valid. */
async function accessesOf(patientRef: string): Promise<string[]> {
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true });
  const { entries } = await accessLog.read(patientRef, 100);
  return entries.map(({ operation, entity }) => (entity ? `${operation} ${entity.id}` : operation));
}

/** Returns everything stored for a patient except the patient: versions of items, versions of objects, and payloads. */
async function leftovers(patientRef: string, syncId: string) {
  const versions = (keys: string[]) => [...new Set(keys)].sort();
  return {
    items: versions((await stores.careRecordKeys(patientRef)).map((key) => key.slice(0, 25))),
    objects: versions((await stores.keysUnder(`documents/${patientRef}/`)).map((key) => key.split('/')[2] ?? '')),
    payloads: await stores.keysUnder(`payloads/${syncId}/`),
  };
}
const only = (order: number) => ({ items: [versionOf(order)], objects: [versionOf(order)], payloads: [] });
const nothing = { items: [], objects: [], payloads: [] };

test('care records are stored as the insurer sent them, and the payload is deleted', async () => {
  const input = await fetched(await listedPatient(), 1, answerOf('Diabetes'));
  expect(await store(input)).toEqual({ outcome: 'stored' });
  expect(await readAnswer(input.patientRef)).toBe(answerOf('Diabetes'));
  expect(await leftovers(input.patientRef, input.syncId)).toEqual(only(1));
  expect(await patients.get(input.patientRef)).toMatchObject({ careState: 'current', careVersion: versionOf(1) });
});

test('an empty answer is stored, and reads as no care records', async () => {
  const input = await fetched(await listedPatient(), 1, `{"kvnr":"${kvnr}","careRecords":[]}`);
  await store(input);
  expect(await careRecords.read(input.patientRef, versionOf(1))).toEqual({ records: [], total: 0 });
});

test('any text in records, ids and documents is read from the tables unchanged', async () => {
  const patientRef = await listedPatient();
  let order = 0;
  const text = fc
    .string({ unit: 'binary', maxLength: 20 })
    .chain((part) => fc.constantFrom(part, `${part}\udc00`, `${part}#\u0000`));
  const record = fc.record({
    id: text.filter((id) => id !== ''),
    documents: fc.array(fc.record({ contentBase64: text, x: text })),
  });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(record, { selector: ({ id }) => id, maxLength: 4 }), async (records) => {
      order += 1;
      const answer = JSON.stringify({ kvnr, careRecords: records });
      await store(await fetched(patientRef, order, answer));
      expect(await readAnswer(patientRef)).toBe(answer);
    }),
    { numRuns: 15 },
  );
});

test('care records are read page by page in the order in which the insurer sent them', async () => {
  const input = await fetched(await listedPatient(), 1, answerOf('x'));
  await store(input);
  const page = await careRecords.readPage(input.patientRef, versionOf(1), 0, { records: 3, bytes: 5_000_000 });
  expect(page?.total).toBe(32);
  expect(page?.records.map(({ recordId }) => recordId)).toEqual(['z#1', 'large', '0 \ud800"ä']);
  const last = await careRecords.readPage(input.patientRef, versionOf(1), 30, { records: 3, bytes: 5_000_000 });
  expect(last?.records.map(({ recordId }) => recordId)).toEqual(['28 \ud800"ä', '29 \ud800"ä']);
});

test('a reader sees the old or the new care records while they are replaced, never a mix', async () => {
  const patientRef = await listedPatient();
  await store(await fetched(patientRef, 1, answerOf('1')));
  const whole = new Set(['1', '2', '3', '4'].map(answerOf));
  let isWriting = true;
  const reading = (async () => {
    let reads = 0;
    for (; isWriting; reads += 1) expect(whole.has((await readAnswer(patientRef)) ?? '')).toBe(true);
    return reads;
  })();
  for (const order of [2, 3, 4]) await store(await fetched(patientRef, order, answerOf(String(order))));
  isWriting = false;
  expect(await reading).toBeGreaterThan(0);
  expect(await readAnswer(patientRef)).toBe(answerOf('4'));
});

test.each(['never sent', 'answer lost'] as const)(
  'after a crash at any call to AWS (%s) while storing, readers see the old or the new, and the next attempt completes',
  async (kind) => {
    let crashed = true;
    for (let call = 1; crashed; call += 1) {
      const patientRef = await listedPatient();
      const old = await fetched(patientRef, 1, answerOf('old'));
      await store(old);
      const input = await fetched(patientRef, 2, answerOf('new'));
      stores.crashAt(call, kind);
      crashed = await store(input).then(
        () => false,
        (error) => isCrash(error) || Promise.reject(error),
      );
      stores.recover();
      expect([answerOf('old'), answerOf('new')]).toContain(await readAnswer(patientRef));
      expect(await store(input)).toEqual({ outcome: 'stored' });
      expect(await readAnswer(patientRef)).toBe(answerOf('new'));
      expect(await leftovers(patientRef, input.syncId)).toEqual(only(2));
      expect(await accessesOf(patientRef)).toEqual([`import ${old.syncId}`, `import ${input.syncId}`]);
      if (!crashed) expect(call).toBeGreaterThan(10);
    }
  },
  120_000,
);

test.each(['never sent', 'answer lost'] as const)(
  'a crash at any call to AWS (%s) followed by a cancellation leaves the old or the new, and nothing staged',
  async (kind) => {
    let crashed = true;
    for (let call = 1; crashed; call += 1) {
      const patientRef = await listedPatient();
      await store(await fetched(patientRef, 1, answerOf('old')));
      const input = await fetched(patientRef, 2, answerOf('new'));
      stores.crashAt(call, kind);
      crashed = await store(input).then(
        () => false,
        () => true,
      );
      stores.recover();
      await discardStaged(input);
      const isNew = (await patients.get(patientRef))?.careVersion === versionOf(2);
      expect(await readAnswer(patientRef)).toBe(answerOf(isNew ? 'new' : 'old'));
      const left = await leftovers(patientRef, input.syncId);
      if (!isNew) expect(left).toEqual(only(1));
      else expect(left.payloads).toEqual([]); // the next store deletes what is left of the old version
    }
  },
  120_000,
);

test.each(['never sent', 'answer lost'] as const)(
  'after a crash at any call to AWS (%s) while removing, the next attempt completes the removal',
  async (kind) => {
    let crashed = true;
    for (let call = 1; crashed; call += 1) {
      const patientRef = await listedPatient(JSON.stringify('x'.repeat(400_000)));
      const input = await fetched(patientRef, 1, answerOf('old'));
      await store(input);
      stores.crashAt(call, kind);
      crashed = await removePatient({ patientRef }).then(
        () => false,
        (error) => isCrash(error) || Promise.reject(error),
      );
      stores.recover();
      await removePatient({ patientRef });
      expect(await patients.get(patientRef)).toBeUndefined();
      expect(await accessesOf(patientRef)).toEqual([`import ${input.syncId}`, 'removal run']);
      expect(await leftovers(patientRef, input.syncId)).toEqual(nothing);
    }
  },
  120_000,
);

test('an older fetch that is stored late changes nothing and leaves nothing', async () => {
  const patientRef = await listedPatient();
  const late = await fetched(patientRef, 1, answerOf('old'));
  await store(await fetched(patientRef, 2, answerOf('new')));
  expect(await store(late)).toEqual({ outcome: 'superseded' });
  expect(await readAnswer(patientRef)).toBe(answerOf('new'));
  expect(await leftovers(patientRef, late.syncId)).toEqual(only(2));
});

test('nothing is stored for a patient who is gone or is being removed', async () => {
  for (const remove of [
    (patientRef: string) => removePatient({ patientRef }),
    (patientRef: string) => patients.markRemoving(patientRef, 1),
  ]) {
    const input = await fetched(await listedPatient(), 1, answerOf('x'));
    await remove(input.patientRef);
    expect(await store(input)).toEqual({ outcome: 'gone' });
    expect(await leftovers(input.patientRef, input.syncId)).toEqual(nothing);
  }
});

test.each([
  ['removed', 'gone', async (patientRef: string): Promise<void> => await removePatient({ patientRef }), nothing],
  [
    'synced again',
    'superseded',
    async (patientRef: string): Promise<void> => {
      await store(await fetched(patientRef, 2, answerOf('new')));
    },
    only(2),
  ],
] as const)(
  'of care records that are staged while the patient is %s, nothing is kept',
  async (_what, outcome, meanwhile, left) => {
    const input = await fetched(await listedPatient(), 1, answerOf('x'));
    const stage: typeof careRecords.stage = async (...staged) => {
      await careRecords.stage(...staged);
      await meanwhile(input.patientRef);
      await careRecords.stage(...staged); // the last staged writes arrive even later
    };
    const raced = createStoreCareRecords({ ...stores, careRecords: { ...careRecords, stage } });
    expect(await store(input, raced.storeCareRecords)).toEqual({ outcome });
    expect(await leftovers(input.patientRef, input.syncId)).toEqual(left);
  },
);

test('a version that a cancelled sync has staged cannot become current through an attempt that still runs', async () => {
  const input = await fetched(await listedPatient(), 1, answerOf('x'));
  await discardStaged(input);
  expect(await patients.activateCareVersion(input.patientRef, input.fetchOrder, 1)).toBe(false);
  expect(await patients.get(input.patientRef)).toMatchObject({ careState: 'pending' });
});

test('a version that has become current is kept if its sync is cancelled afterwards', async () => {
  const input = await fetched(await listedPatient(), 1, answerOf('x'));
  await store(input);
  await discardStaged(input);
  expect(await readAnswer(input.patientRef)).toBe(answerOf('x'));
  expect(await accessesOf(input.patientRef)).toEqual([`import ${input.syncId}`]);
});

test('a sync on demand is completed once its records are stored and recorded; nobody waits for the deletions', async () => {
  const patientRef = await listedPatient();
  await store(await fetched(patientRef, 1, answerOf('old')));
  const { endsSync, ...input } = { ...(await fetched(patientRef, 2, answerOf('new'))), endsSync: { flags: 'kvnr: x' } };
  const { syncId } = input;
  await patients.requestSync(patientRef, { syncId, requestedBy: 'p', requestedAt: new Date().toISOString() });
  const died = createStoreCareRecords({
    ...stores,
    careRecords: { ...careRecords, deleteOlderThan: () => Promise.reject(new Crash()) },
  });
  await expect(store({ ...input, endsSync }, died.storeCareRecords)).rejects.toBeInstanceOf(Crash);
  expect(await readAnswer(patientRef)).toBe(answerOf('new'));
  expect(await accessesOf(patientRef)).toContain(`import ${syncId}`);
  const ended = await patients.readLastSync(patientRef);
  expect(ended?.lastSync).toMatchObject({ syncId, state: 'completed', flags: 'kvnr: x' });
  expect(await store({ ...input, endsSync })).toEqual({ outcome: 'stored', isSyncEnded: true });
  expect(await leftovers(patientRef, syncId)).toEqual(only(2));
  expect(await patients.readLastSync(patientRef)).toEqual(ended);
});

test('a sync on demand stays in progress if its access entry cannot be written, or its payload is lost', async () => {
  const patientRef = await listedPatient();
  const input = { ...(await fetched(patientRef, 1, answerOf('x'))), endsSync: {} };
  const { syncId } = input;
  await patients.requestSync(patientRef, { syncId, requestedBy: 'p', requestedAt: new Date().toISOString() });
  const died = createStoreCareRecords({ ...stores, accessLog: { append: () => Promise.reject(new Crash()) } });
  await expect(store(input, died.storeCareRecords)).rejects.toBeInstanceOf(Crash);
  const next = { ...(await fetched(patientRef, 2, answerOf('y'))), syncId, endsSync: {} };
  await payloads.delete(next.payload);
  expect(await store(next)).toEqual({ outcome: 'payload-lost' });
  expect((await patients.readLastSync(patientRef))?.lastSync).toMatchObject({ syncId, state: 'requested' });
});

test('cancelling a sync that died after its version became current appends the access entry', async () => {
  const input = await fetched(await listedPatient(), 1, answerOf('x'));
  const died = createStoreCareRecords({ ...stores, accessLog: { append: () => Promise.reject(new Crash()) } });
  await expect(store(input, died.storeCareRecords)).rejects.toBeInstanceOf(Crash);
  await discardStaged(input);
  expect(await accessesOf(input.patientRef)).toEqual([`import ${input.syncId}`]);
});

test('a removal whose access entry cannot be written deletes nothing', async () => {
  const patientRef = await listedPatient();
  const input = await fetched(patientRef, 1, answerOf('x'));
  await store(input);
  const removal = createRemovePatient({ ...stores, accessLog: { append: () => Promise.reject(new Crash()) } });
  const environment = new MockActivityEnvironment({}, { logger: silent });
  await patients.markNotInsured(patientRef, 'run', { revision: 1, careVersion: input.fetchOrder });
  const removing = environment.run<[RemovePatientInput], void, typeof removal.removePatient>(removal.removePatient, {
    patientRef,
    revision: 1,
  });
  await expect(removing).rejects.toBeInstanceOf(Crash);
  expect(await leftovers(patientRef, input.syncId)).toEqual(only(1));
  await removePatient({ patientRef });
  expect(await leftovers(patientRef, input.syncId)).toEqual(nothing);
});

test.each([
  ['lost', async (key: string) => await payloads.delete({ key, sizeBytes: 0, sha256: '' })],
  ['corrupted', async (key: string) => await stores.overwrite(key, randomBytes(10))],
])('a payload that was %s is reported as payload-lost, and nothing changes', async (_state, damage) => {
  const patientRef = await listedPatient();
  await store(await fetched(patientRef, 1, answerOf('old')));
  const input = await fetched(patientRef, 2, answerOf('new'));
  await damage(input.payload.key);
  expect(await store(input)).toEqual({ outcome: 'payload-lost' });
  expect(await readAnswer(patientRef)).toBe(answerOf('old'));
  expect(await leftovers(patientRef, input.syncId)).toEqual(only(1));
});

test('an answer that exceeds the limits fails without retry, and nothing changes', async () => {
  const patientRef = await listedPatient();
  await store(await fetched(patientRef, 1, answerOf('old')));
  const documents = Array(50_000).fill('{"contentBase64":""}').join();
  const input = await fetched(
    patientRef,
    2,
    `{"kvnr":"${kvnr}","careRecords":[{"id":"r","documents":[${documents}]}]}`,
  );
  await expect(store(input)).rejects.toMatchObject({
    ...{ type: 'AnswerTooLarge', nonRetryable: true },
    details: [{ about: { patientRef, syncId: input.syncId } }],
  });
  await discardStaged(input);
  expect(await readAnswer(patientRef)).toBe(answerOf('old'));
  expect(await leftovers(patientRef, input.syncId)).toEqual(only(1));
});

test('storing many documents heartbeats, and ends between two of them after a cancellation', async () => {
  const documents = Array.from({ length: 1_500 }, (_, index) => `{"contentBase64":"QQ${index}"}`).join();
  const input = await fetched(
    await listedPatient(),
    1,
    `{"kvnr":"${kvnr}","careRecords":[{"id":"r","documents":[${documents}]}]}`,
  );
  const environment = new MockActivityEnvironment({ heartbeatTimeoutMs: 1_000 }, { logger: silent });
  const heartbeat = Promise.withResolvers<void>();
  environment.on('heartbeat', () => heartbeat.resolve());
  const stage: typeof careRecords.stage = async (...staged) => {
    const staging = careRecords.stage(...staged);
    await heartbeat.promise; // only an attempt that lasts sends one
    environment.cancel();
    await staging;
  };
  const cancelled = createStoreCareRecords({ ...stores, careRecords: { ...careRecords, stage } }).storeCareRecords;
  const storing = environment.run<[StoreCareRecordsInput], StoreCareRecordsResult, typeof cancelled>(cancelled, input);
  await expect(storing).rejects.toBeInstanceOf(CancelledFailure);
  expect((await stores.keysUnder(`documents/${input.patientRef}/`)).length).toBeLessThan(1_500);
});

test('an answer that writes the KVNR in lower case and with blanks is stored', async () => {
  const input = await fetched(await listedPatient(), 1, '{"kvnr":" a123 456780","careRecords":[]}');
  expect(await store(input)).toEqual({ outcome: 'stored' });
  expect(await patients.get(input.patientRef)).toMatchObject({ careState: 'current', careVersion: versionOf(1) });
});

test('an answer for another patient is never stored', async () => {
  const input = await fetched(await listedPatient(), 1, '{"kvnr":"X110434370","careRecords":[]}');
  await expect(store(input)).rejects.toBeInstanceOf(ApplicationFailure);
  expect(await readAnswer(input.patientRef)).toBeUndefined();
});
