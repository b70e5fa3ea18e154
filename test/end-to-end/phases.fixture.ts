import type { Phase } from '../../core/domain/progress.ts';
import type { Day } from '../day.fixture.ts';

const mix = { 'reset-before-headers': 10, 'reset-in-body': 10, 'server-error': 20, 'cut-short': 10 };
export const world = { patients: 80, rate: 0.5, mix, notInsuredShare: 0.02, unknownShare: 0, differingDuplicates: 0 };

/** Resolves once a run is in a phase, or as soon after it as one can see. */
export const inPhase: Record<Exclude<Phase, 'done'>, (day: Day) => Promise<unknown>> = {
  list: (day) => day.insurer.requestArrives(1),
  split: (day) => day.until(({ phase }) => phase === 'split' || phase === 'diff'),
  diff: (day) => day.until(({ phase }) => phase === 'diff'),
  apply: (day) => day.until(({ phase }) => phase === 'apply' || phase === 'care-records'),
  'care-records': (day) => day.insurer.until(({ patientsServed }) => patientsServed >= 15),
};
export const phases = Object.keys(inPhase) as (keyof typeof inPhase)[];
