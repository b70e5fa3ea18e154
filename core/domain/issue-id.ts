import { hash } from 'node:crypto';
import type { Issue } from './issue.ts';
import { lineFaults } from './line.ts';
import { problemsIn } from './quality.ts';

/**
 * Returns what names an issue in all runs, as 32 hex digits: whom it is about, its kind, and which paths have which problems.
 * An entry without a readable KVNR is recognised by its text, and one without a text by its position. Which fault of the line
 * was the last one does not matter.
 */
export function issueIdOf({ kind, reason, patientRef, previousPatientRef = '', position, entryRef }: Issue): string {
  const subject = patientRef ?? entryRef ?? (position === undefined ? '' : `entry ${position}`);
  const isLineFault = (lineFaults as readonly string[]).includes(reason);
  const problems = isLineFault ? ['line'] : problemsIn(reason).map((problem) => `${problem.path}: ${problem.kind}`);
  return hash('sha256', JSON.stringify([kind, subject, previousPatientRef, ...problems.sort()]), 'hex').slice(0, 32);
}
