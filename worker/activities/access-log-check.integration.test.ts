import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import { type AccessLogCheck, beginCheck } from '../../core/domain/access-log-check.ts';
import { AccessLogError } from '../../core/stores/access-log.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { draftFor } from '../../test/access-draft.fixture.ts';
import { startTestStack } from '../../test/stack.ts';
import { createAccessLogCheckActivities } from './access-log-check.ts';

// A check reads all logs, so it needs a stack without the logs of other tests.
const stack = await startTestStack();
afterAll(stack.stop);
Object.assign(process.env, stack.environment);
const stores = openEmulatedStores();
const insurerId = 'kk';

test('a check that fails half way continues with the logs that are left, and its result is kept', async () => {
  const patientRefs = Array.from({ length: 5 }, () => newPatientRef());
  for (const ref of patientRefs) await stores.accessLog.append(ref, [draftFor(ref), draftFor(ref)]);
  const lost = newPatientRef();
  await stores.accessAnchors.put(`${lost}/000000000001-${Math.ceil(Date.now() / 1000) + 100_000}-${'a'.repeat(64)}`);
  const forged = patientRefs[0] ?? '';
  await stores.accessAnchors.put(`${forged}/000000000003-${Math.ceil(Date.now() / 1000) + 100_000}-${'a'.repeat(64)}`);
  const verified: string[] = [];
  const ended: AccessLogCheck[] = [];
  let isAway = true;
  let brokenLogs = 0;
  const { checkAccessLogs } = createAccessLogCheckActivities({
    ...stores,
    accessLog: {
      ...stores.accessLog,
      async verify(patientRef) {
        if (patientRef === lost && isAway) throw new AccessLogError('unavailable');
        verified.push(patientRef);
        return await stores.accessLog.verify(patientRef);
      },
    },
    onBroken: () => {
      brokenLogs += 1;
    },
    onChecked: (check) => ended.push(check),
  });
  let heartbeatDetails: unknown;
  const attempt = async () => {
    const environment = new MockActivityEnvironment({ heartbeatDetails });
    environment.on('heartbeat', (details: unknown) => {
      heartbeatDetails = details;
    });
    await environment.run(async () => await checkAccessLogs({ insurerId }));
  };
  await expect(attempt()).rejects.toThrow('access log unavailable');
  expect(await stores.accessLogChecks.read(insurerId)).toMatchObject({ state: 'running' });
  expect(ended).toEqual([]);
  expect(brokenLogs).toBe(1); // known before the check ends
  const before = '2026-01-01T00:00:00.000Z'; // a check that has not ended is none
  for (const now of [before, '2026-02-01T00:00:00.000Z'])
    expect(await stores.accessLogChecks.readCompletedAt(insurerId, now)).toBe(before);
  isAway = false;
  await attempt();
  expect(verified.toSorted()).toEqual([...patientRefs, lost].toSorted()); // each once
  const check = await stores.accessLogChecks.read(insurerId);
  expect(check).toMatchObject({
    ...{ state: 'completed', logs: 6, entries: 10, unanchored: 10, brokenLogs: 2 },
    broken: [
      { patientRef: forged, firstBrokenSeq: 3, problem: 'missing' },
      { patientRef: lost, firstBrokenSeq: 1, problem: 'missing' },
    ],
  });
  expect(ended).toEqual([check]);
  expect(brokenLogs).toBe(2);
  await stores.accessLogChecks.save(insurerId, beginCheck(new Date().toISOString()));
  expect(await stores.accessLogChecks.readCompletedAt(insurerId, before)).toBe(check?.finishedAt);
});
