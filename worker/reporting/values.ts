import { type Gate, lineItself, openReasonsOf, requestsPerMinuteOf } from '../../core/domain/gate.ts';
import { failuresOf, type LineFault } from '../../core/domain/line.ts';
import { isCompleted, type Progress } from '../../core/domain/progress.ts';
import { overdueMinutes, type RunSchedule } from '../../core/domain/run-schedule.ts';
import type { MetricValues } from '../../core/telemetry/metrics.ts';
import type { LineMeasurement } from '../line/line-statistics.ts';

/** Returns the metrics of the gate. @param nowMs epoch ms */
export function gateValues(gate: Gate, nowMs: number): MetricValues {
  const { state, since } = gate;
  const requestsPerMinute = requestsPerMinuteOf(gate);
  const isPaused = state === 'paused';
  const pausedMs = isPaused && since !== undefined ? nowMs - Date.parse(since) : 0;
  return {
    LinePaused: isPaused ? 1 : 0,
    LinePausedBySystem: openReasonsOf(gate).openReasons.some(({ by }) => by === lineItself) ? 1 : 0,
    LineCooldownSeconds: Math.ceil(gate.cooldownMs / 1_000),
    ...(requestsPerMinute !== undefined && { LinePace: requestsPerMinute }),
    LinePausedSeconds: Math.max(0, Math.floor(pausedMs / 1_000)), // never negative: the pause was dated by another clock
  };
}

/** Returns the number of whole days since a time. @param time ISO 8601 @param nowMs epoch ms */
export const daysSince = (time: string, nowMs: number): number =>
  Math.max(0, Math.floor((nowMs - Date.parse(time)) / 86_400_000));

/** Returns the metrics of the runs. @param runs newest first @param nowMs epoch ms */
export function runValues(runs: readonly Progress[], hours: RunSchedule, nowMs: number): MetricValues {
  const [newest] = runs;
  const { oldestDays, medianDays } = newest?.careRecordsAge ?? {};
  const completedAtMs = runs.flatMap((run) =>
    isCompleted(run) && run.finishedAt !== undefined ? [Date.parse(run.finishedAt)] : [],
  );
  return {
    RunOverdueMinutes: overdueMinutes(hours, completedAtMs, nowMs),
    RunInProgress: newest?.state === 'running' ? 1 : 0,
    RunFailed: newest?.state === 'failed' ? 1 : 0,
    RunHasProblems: newest?.state === 'completed-with-problems' ? 1 : 0,
    RunAwaitsDecision: newest?.awaitingDecision ? 1 : 0,
    ...(newest && {
      RunPatientsDone: newest.careRecords.done,
      RunPatientsPending: newest.careRecords.pending,
      RunPatientsFailed: newest.careRecords.failed,
      RunEntriesQuarantined: newest.patients.quarantined,
      RunEntriesFlagged: newest.patients.flagged ?? 0,
      RunCareRecordsFlagged: newest.careRecords.flagged ?? 0,
      RunUnreadablePercent: newest.quality?.unreadablePercent ?? 0,
      RunPatientsProvisional: newest.patients.provisional ?? 0,
      RunKvnrsChanged: newest.patients.kvnrChanged ?? 0,
      RunPatientsPerMinute: newest.state === 'running' ? newest.ratePerMinute : 0,
    }),
    ...(oldestDays !== undefined && { CareRecordsOldestDays: oldestDays }),
    ...(medianDays !== undefined && { CareRecordsMedianDays: medianDays }),
    ...(newest?.state === 'running' && newest.etaSeconds !== undefined && { RunSecondsLeft: newest.etaSeconds }),
  };
}

/** Returns the metrics of the line for one interval. */
export function lineValues(measurement: LineMeasurement): MetricValues {
  const { requests, receivedBytes, busyMs, elapsedMs, sinceSuccessMs } = measurement;
  return {
    LineRequests: requests,
    LineFailures: failuresOf(measurement),
    LineUtilisationPercent: elapsedMs === 0 ? 0 : Math.min(100, Math.round((busyMs / elapsedMs) * 1_000) / 10),
    LineBytesReceived: receivedBytes,
    LineSecondsSinceSuccess: Math.floor(sinceSuccessMs / 1_000),
  };
}

/** Returns the failures of one interval, by fault kind. */
export const faultValues = ({ faults }: LineMeasurement): [fault: LineFault, values: MetricValues][] =>
  Object.entries(faults).map(([fault, count]) => [fault as LineFault, { LineFailuresByFault: count }]);
