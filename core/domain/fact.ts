import type { Fact } from './event.ts';
import { type Gate, lineItself, opensAtOf } from './gate.ts';
import { type PatientImage, patientChangesOf } from './patient-change.ts';
import type { Progress } from './progress.ts';

/** Returns what a write of an item of Patients tells others. @param at ISO 8601 UTC */
export const patientFacts = (
  before: PatientImage | undefined,
  after: PatientImage | undefined,
  at: string,
): readonly Fact[] =>
  patientChangesOf(before, after, at).map(({ what, patientRef, careVersion }) => ({
    name: `patient.${what}`,
    subject: patientRef,
    data: { patientRef, ...(careVersion !== undefined && { careVersion }) },
  }));

/** Returns what a save of a run's progress tells others: a question that is new, and the end of the run. */
export function runFacts(before: Progress | undefined, after: Progress | undefined): readonly Fact[] {
  if (after === undefined) return [];
  const { runId, state, decision, failure } = after;
  const subject = runId;
  const facts: Fact[] = [];
  if (decision !== undefined && decision.listId !== before?.decision?.listId) {
    const { listId, kind, removals, stored, waitingSince } = decision;
    const data = { runId, listId, kind, removals, stored, waitingSince };
    facts.push({ name: 'run.decision-awaited', subject, data });
  }
  if (state === 'running' || state === before?.state) return facts;
  if (state === 'failed')
    facts.push({ name: 'run.failed', subject, data: { ...countsOf(after), ...(failure && { failure }) } });
  else facts.push({ name: `run.${state}`, subject, data: countsOf(after) });
  return facts;
}

const countsOf = ({ runId, startedAt, finishedAt, patients, careRecords }: Progress) => ({
  runId,
  startedAt,
  ...(finishedAt !== undefined && { finishedAt }),
  patients: {
    listed: patients.listed,
    new: patients.new,
    changed: patients.changed,
    removed: patients.removed,
    quarantined: patients.quarantined,
  },
  careRecords: {
    total: careRecords.total,
    done: careRecords.done,
    failed: careRecords.failed,
    notInsured: careRecords.notInsured,
  },
});

/** Returns what a write of the gate tells others. Most writes are renewals of the lease, and tell nothing. */
export function lineFacts(before: Gate | undefined, after: Gate | undefined): readonly Fact[] {
  if (after === undefined) return [];
  const { insurerId: subject, state, by, cooldown, cooldownMs } = after;
  const who = by === lineItself ? 'system' : 'operator';
  const until = opensAtOf(after);
  const facts: Fact[] = [];
  if (state === 'paused' && (before?.state !== 'paused' || opensAtOf(before) !== until))
    facts.push({
      name: 'line.paused',
      subject,
      data: { by: who, since: changedAt(after), ...(until !== undefined && { until }) },
    });
  if (state === 'open' && before?.state === 'paused')
    facts.push({ name: 'line.resumed', subject, data: { by: who, at: changedAt(after) } });
  if (cooldown !== undefined && cooldownMs > 0 && cooldown.since !== before?.cooldown?.since)
    facts.push({ name: 'line.cooling-down', subject, data: cooldown });
  return facts;
}

/** Returns when the line was paused or resumed. @throws Error if the gate does not say so */
function changedAt({ since }: Gate): string {
  if (since === undefined) throw new Error('the gate of a line that was paused or resumed does not say when');
  return since;
}
