import { expect } from 'vitest';
import type { Phase } from '../../core/domain/progress.ts';
import type { Day } from '../day.fixture.ts';

const mix = { 'reset-before-headers': 10, 'reset-in-body': 10, 'server-error': 20, 'cut-short': 10 };
export const world = { patients: 30, rate: 0.5, mix, notInsuredShare: 0.05, unknownShare: 0, differingDuplicates: 0 };

/** Resolves once a run is in a phase, or has just left it. */
export const inPhase: Record<Exclude<Phase, 'done'>, (day: Day) => Promise<unknown>> = {
  list: (day) => day.insurer.requestArrives(1),
  split: (day) => day.until(({ phase }) => phase === 'split' || phase === 'diff', 100),
  diff: (day) => day.until(({ phase }) => phase === 'diff', 100),
  apply: (day) => day.until(({ phase }) => phase === 'apply' || phase === 'care-records', 100),
  'care-records': (day) => day.insurer.until(({ patientsServed }) => patientsServed >= 12),
};
export const phases = Object.keys(inPhase) as (keyof typeof inPhase)[];

/** Expects that the run has stored and counted each patient exactly once. */
export async function expectComplete(day: Day): Promise<void> {
  const progress = await day.ended();
  const patients = day.insurer.patients();
  const insured = patients.filter(({ kind }) => kind === 'ok');
  expect(progress).toMatchObject({
    state: 'completed',
    patients: { listed: patients.length, new: patients.length, changed: 0, removed: 0, unchanged: 0 },
    careRecords: {
      total: patients.length,
      done: insured.length,
      pending: 0,
      failed: 0,
      notInsured: patients.length - insured.length,
    },
  });
  expect(new Set(await day.storedRefs())).toEqual(new Set(insured.map(({ kvnr }) => day.refOf(kvnr))));
  for (const { kvnr, careRecords } of insured) {
    const { careRecords: sent } = JSON.parse(careRecords ?? '') as { careRecords: unknown[] };
    expect((await day.careRecordTexts(day.refOf(kvnr))).map((text) => JSON.parse(text) as unknown)).toEqual(sent);
  }
  expect(await day.keysUnder('payloads/')).toEqual([]);
  expect(await day.keysUnder('lists/')).toEqual([]);
  expect(day.insurer.summary()).toMatchObject({ overlaps: 0, beforeRetryAfter: 0, after410: 0, violations: 0 });
}
