import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { removePatient } from '../../worker/activities/remove-patient.ts';
import type { Kvnr } from '../domain/kvnr.ts';
import { newPatientRef, openEmulatedStores } from '../stores/emulated.fixture.ts';
import { openInquiry } from '../stores/sync-request.ts';
import { createPatientRecordClient } from './patient-record-client.ts';

const { patients, careRecords, accessLog } = openEmulatedStores();
const stores = { patients, careRecords, accessLog };
const client = createPatientRecordClient({
  temporal: async () => expect.unreachable('only the stores are read'),
  stores,
  config: { INSURER_ID: 'kk', CARE_MAX_ATTEMPTS: 1 },
});
const guard = { signal: new AbortController().signal, check: () => {} };

test.each([
  ['410', 'not-insured'],
  ['404', 'unknown'],
  ['list', undefined],
] as const)('the last sync of somebody who was removed after a %s', async (cause, state) => {
  const [patientRef, syncId, requestedAt] = [newPatientRef(), randomUUID(), new Date().toISOString()];
  const access = {
    id: randomUUID(),
    patientRef,
    recorded: requestedAt,
    operation: 'request-sync',
    outcome: 'success',
    agent: { who: 'p', role: 'clinician' },
    source: { component: 'api' },
  } as const;
  await openInquiry(stores, 'A123456780' as Kvnr, { access, syncId, requestedBy: 'p', requestedAt });
  await patients.requestSync(patientRef, { syncId, requestedBy: 'p', requestedAt });
  const { revision = 0 } = (await patients.get(patientRef)) ?? {};
  if (cause === '410') await patients.markNotInsured(patientRef, syncId, { revision });
  if (cause === '404') await patients.markRemoving(patientRef, revision, guard, { unknownIn: syncId }); // the workflow ends here
  if (cause === 'list') {
    await patients.storeNew(
      [{ patientRef, kvnr: 'A123456780' as Kvnr, body: '{}', contentHash: 'h' }],
      'l0',
      new Map([[patientRef, { revision, isUnlisted: true }]]),
    );
    await patients.endSync(patientRef, syncId, { state: 'failed', error: 'reset', finishedAt: requestedAt });
    await patients.setGoneIn({ patientRef, revision: revision + 1 }, 'l1');
  }
  const now = (await patients.get(patientRef))?.revision ?? revision;
  await removePatient(stores, patientRef, now, guard); // as finishRemovals or removeGone do
  const known = await client.readLastSync(patientRef);
  expect(known?.lastSync?.state).toBe(state);
});
