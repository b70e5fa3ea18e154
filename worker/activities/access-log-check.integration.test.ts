import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import type { AccessLogCheck } from '../../core/domain/access-log-check.ts';
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
  const verified: string[] = [];
  const ended: AccessLogCheck[] = [];
  let isAway = true;
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
  isAway = false;
  await attempt();
  expect(verified.toSorted()).toEqual([...patientRefs, lost].toSorted()); // each once
  const check = await stores.accessLogChecks.read(insurerId);
  expect(check).toMatchObject({
    ...{ state: 'completed', logs: 6, entries: 10, unanchored: 10, brokenLogs: 1 },
    broken: [{ patientRef: lost, firstBrokenSeq: 1, problem: 'missing' }],
  });
  expect(ended).toEqual([check]);
});
