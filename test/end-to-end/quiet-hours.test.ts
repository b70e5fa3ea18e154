import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { createPatientRecordClient } from '../../core/temporal/patient-record-client.ts';
import { draftFor } from '../access-draft.fixture.ts';
import { insurerId, startDay } from '../day.fixture.ts';

const minuteMs = 60_000;
const clockInGermany = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/Berlin',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

test('in quiet hours, a run waits with its list and a person’s sync goes on; the run completes after their end', async () => {
  await using day = await startDay({ patients: 20, rate: 0, notInsuredShare: 0 });
  const endMs = Math.ceil((Date.now() + 30_000) / minuteMs) * minuteMs;
  const [begin, end] = [endMs - 5 * minuteMs, endMs].map((ms) => clockInGermany.format(ms));
  await day.startWorker({ LINE_QUIET_HOURS: `${begin}-${end}` });
  await day.sync.start();
  const person = day.insurer.patients().find(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled);
  const kvnr = person?.kvnr as Kvnr;
  const { client, stores } = day;
  const config = { INSURER_ID: insurerId, CARE_MAX_ATTEMPTS: 40 };
  const people = createPatientRecordClient({ temporal: async () => client, stores, config });
  const patientRef = day.refOf(kvnr);
  await people.requestSync({ patientRef, kvnr, access: draftFor(patientRef) });
  await day.insurer.until(({ requests }) => requests === 1); // the person's
  expect(Date.now()).toBeLessThan(endMs);
  while (Date.now() < endMs - 500) {
    expect(day.insurer.summary().requests).toBe(1);
    await sleep(500);
  }
  await day.insurer.until(({ requests }) => requests > 1);
  expect(Date.now()).toBeGreaterThanOrEqual(endMs);
  expect(Date.now()).toBeLessThan(endMs + 10_000);
  expect(await day.ended()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(day.insurer.summary().violations).toBe(0);
}, 240_000);
