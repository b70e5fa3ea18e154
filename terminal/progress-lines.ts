import type { AccessEntry } from '../core/domain/access.ts';
import { type CooldownReason, type LineChange, lineItself } from '../core/domain/gate.ts';
import type { LineLimits, LineStatus } from '../core/domain/line-status.ts';
import { type Phase, type Progress, phases } from '../core/domain/progress.ts';
import type { MadeDecision } from '../core/domain/removal-decision.ts';
import type { RemovalReason } from '../core/domain/removal-guard.ts';
import type { TransferNow } from '../core/domain/transfer.ts';
import type { ProgressNow } from '../core/temporal/daily-sync-client.ts';

/** Returns the progress of a run as a few lines. Pure, so that a terminal can redraw it at any time. */
export function progressBlock(progress: ProgressNow, now: Date, widthColumns: number): string[] {
  const { patients, careRecords, line } = progress;
  const finished = careRecords.done + careRecords.failed + careRecords.notInsured;
  const care = phaseIndex(progress) < phases.indexOf('care-records') ? '' : `${finished} of ${careRecords.total}`;
  const listed = `${patients.listed} listed · ${patientCounts(progress)}`;
  const cared = `${care}${careCounts(progress)}`;
  const columnsWithoutBar = 'care records  []  '.length + Math.max(listed.length, cared.length);
  const barColumns = Math.min(40, widthColumns - columnsWithoutBar); // numbers matter more than a long bar
  return [
    `run ${progress.runId} · ${stateOf(progress)} · ${duration(elapsedSeconds(progress, now))}${progress.stale ? ' · no worker answers: as last seen' : timeLeft(progress)}`,
    `patients      ${bar(listShare(progress), barColumns)}${listed}`,
    `care records  ${bar(careShare(progress), barColumns)}${cared}`,
    `line          ${lineState(progress)} · ${line.requests} requests, ${percent(line.failureRate)} failed${paceOf(progress)}`,
    ...transferLines(progress, now, barColumns),
    ...decisionLines(progress),
    ...pauseLines(progress.line),
    ...limitLines(progress.line),
    ...quietLines(progress.line),
  ].map((text) => text.slice(0, Math.max(20, widthColumns)));
}

/** Returns the progress of a run as one line, for output that is not a terminal. */
export function progressLine(progress: ProgressNow, now: Date): string {
  const { careRecords, line } = progress;
  const finished = careRecords.done + careRecords.failed + careRecords.notInsured;
  const parts = [
    `${duration(elapsedSeconds(progress, now))} ${stateOf(progress)}`,
    `${progress.patients.listed} listed, ${patientCounts(progress)}`,
    `care records ${finished}/${careRecords.total}${careCounts(progress)}`,
    `line ${lineState(progress)}, ${line.requests} requests, ${percent(line.failureRate)} failed${paceOf(progress)}${timeLeft(progress)}`,
    ...(progress.stale ? ['no worker answers: as last seen'] : []),
    ...(progress.transfers ?? []).map((transfer) => `${transferWords[transfer.kind]} ${transferFacts(transfer, now)}`),
    ...[
      ...decisionLines(progress),
      ...pauseLines(progress.line),
      ...limitLines(progress.line),
      ...quietLines(progress.line),
    ].map((each) => each.trim()),
  ];
  return parts.join(' | ');
}

/** Returns the result of a run as a few lines. */
export function summaryLines(progress: Progress): string[] {
  const { patients, careRecords, line } = progress;
  const finishedAt = progress.finishedAt === undefined ? new Date() : new Date(progress.finishedAt);
  const { quarantined, flagged = 0, kvnrChanged = 0 } = patients;
  const refreshIssues = (progress.refresh?.failed ?? 0) + (progress.refresh?.flagged ?? 0);
  const issues = quarantined + flagged + kvnrChanged + careRecords.failed + (careRecords.flagged ?? 0) + refreshIssues;
  const hasIssues = issues > 0 || progress.state === 'failed';
  return [
    `run ${progress.runId} ${progress.state} after ${duration(elapsedSeconds(progress, finishedAt))}`,
    `  patients      ${patients.listed} listed, ${patientCounts(progress)}, ${patients.unchanged} unchanged`,
    `  care records  ${careRecords.done} stored, ${careRecords.notInsured} no longer insured, ${careRecords.failed} failed, ${careRecords.pending} pending${flaggedIn(careRecords, ', ')}`,
    ...ageLines(progress),
    ...refreshLines(progress),
    `  line          ${line.requests} requests, ${percent(line.failureRate)} failed${line.failures === 0 ? '' : ` (${faultCounts(line.faults)})`}`,
    ...qualityLines(progress),
    ...(progress.decisions ?? []).map((made) => `  ${decisionLine(made)}`),
    ...(progress.failure === 'internal' ? ['  an error of epa-sync itself: see the log of the workers'] : []),
    ...(hasIssues ? ['  see the issues: npm run sync -- issues'] : []),
  ];
}

/** Returns how old the stored care records were. */
function ageLines({ careRecordsAge }: Progress): string[] {
  if (careRecordsAge === undefined) return [];
  const { oldestDays, medianDays, unknown } = careRecordsAge;
  const known = oldestDays === undefined ? [] : [`oldest ${oldestDays} days, median ${medianDays} days`];
  const parts = [...known, ...(unknown > 0 ? [`${unknown} of unknown age`] : [])];
  return [`  stored age    ${parts.join(', ')}`];
}

const refreshWords = { running: 'in progress', completed: 'completed', stopped: 'stopped' } as const;

/** Returns how far the refresh is that follows the run, and who has stopped it. */
function refreshLines({ refresh }: Progress): string[] {
  if (refresh === undefined) return [];
  const { state, pending, done, unchanged, failed, removed, held = 0, cancellation } = refresh;
  const kept = held > 0 ? `, ${held} kept after an answer 410` : '';
  return [
    `  refresh       ${refreshWords[state]}: ${done} stored, ${unchanged} unchanged, ${failed} failed, ${removed} removed${kept}, ${pending ?? '?'} pending`,
    ...(cancellation ? [onOneLine(`  refresh stopped by ${cancellation.by}: ${cancellation.reason}`)] : []),
  ];
}

/** Number of problems in a summary. `npm run sync -- status --json` has more. */
const shownProblemsMax = 3;

/** Returns how much of what came was unreadable, and the most frequent problems. Returns no line if all of it was right. */
function qualityLines({ quality }: Progress): string[] {
  if (quality === undefined || quality.byProblem.length === 0) return [];
  const { quarantinedPercent, failedPercent, flaggedPercent, byProblem } = quality;
  const problems = byProblem.slice(0, shownProblemsMax).map(({ path, kind, count }) => `${path}: ${kind} (${count})`);
  const shares = `${quarantinedPercent} % of the list quarantined, ${failedPercent} % of the care records failed, ${flaggedPercent} % flagged`;
  return [`  quality       ${shares}`, `                most often ${problems.join(', ')}`];
}

const phaseWords: Readonly<Record<Phase, string>> = {
  list: 'fetching the list',
  split: 'reading the list',
  diff: 'comparing',
  apply: 'removing patients who have left',
  'care-records': 'fetching care records',
  done: 'done',
};

const phaseIndex = ({ phase }: Progress): number => phases.indexOf(phase);
function stateOf({ state, phase, awaitingDecision, careRecords }: Progress): string {
  if (state !== 'running') return state;
  const isAllDone = phase === 'care-records' && careRecords.pending === 0;
  return awaitingDecision && isAllDone ? 'waiting for a decision' : phaseWords[phase];
}

/** Returns the share of the steps that the list has passed. Its length is unknown while it is fetched. */
const listShare = (progress: Progress): number => Math.min(1, phaseIndex(progress) / phases.indexOf('care-records'));

function careShare({ careRecords: { total, pending }, phase }: Progress): number {
  if (total > 0) return (total - pending) / total;
  return phase === 'done' ? 1 : 0;
}

function patientCounts({ patients }: Progress): string {
  const quarantined = patients.quarantined > 0 ? ` · ${patients.quarantined} quarantined` : '';
  const provisional = (patients.provisional ?? 0) > 0 ? ` · ${patients.provisional} provisional` : '';
  const kvnrChanged = (patients.kvnrChanged ?? 0) > 0 ? ` · ${patients.kvnrChanged} with a changed KVNR` : '';
  return `${patients.new} new · ${patients.changed} changed · ${patients.removed} removed${provisional}${kvnrChanged}${flaggedIn(patients)}${quarantined}`;
}

/** Returns how many entries, or how many patients' care records, break the contract. */
const flaggedIn = ({ flagged = 0 }: { readonly flagged?: number }, separator = ' · '): string =>
  flagged > 0 ? `${separator}${flagged} flagged` : '';

function careCounts({ careRecords }: Progress): string {
  const { failed, notInsured, held = 0 } = careRecords;
  const kept = held > 0 ? `, ${held} of them kept` : '';
  return `${failed > 0 ? ` · ${failed} failed` : ''}${notInsured > 0 ? ` · ${notInsured} no longer insured${kept}` : ''}${flaggedIn(careRecords)}`;
}

function lineState({ line: { state, cooldown, busy } }: ProgressNow): string {
  if (state === 'paused') return 'paused';
  if (cooldown !== undefined) return 'waiting';
  return busy ? 'busy' : 'idle';
}

const paceOf = ({ state, ratePerMinute }: Progress): string =>
  state !== 'running' || ratePerMinute === 0 ? '' : ` · ${Math.round(ratePerMinute)} patients a minute`;

const timeLeft = ({ state, etaSeconds }: Progress): string =>
  state !== 'running' || etaSeconds === undefined ? '' : ` · about ${duration(etaSeconds)} left`;

const transferWords: Readonly<Record<TransferNow['kind'], string>> = { list: 'list', 'care-records': 'large answer' };

/** Returns two lines for each transfer that takes long: its bytes, and its requests. */
const transferLines = ({ transfers = [] }: ProgressNow, now: Date, barColumns: number): string[] =>
  transfers.flatMap((transfer) => {
    const { kind, receivedBytes, totalBytes } = transfer;
    const share = totalBytes === undefined ? '' : bar(totalBytes === 0 ? 1 : receivedBytes / totalBytes, barColumns);
    return [
      `${transferWords[kind].padEnd(14)}${share}${bytesLine(transfer)}`,
      `${' '.repeat(14)}${requestsLine(transfer, now)}`,
    ];
  });

const transferFacts = (transfer: TransferNow, now: Date): string =>
  `${bytesLine(transfer)} · ${requestsLine(transfer, now)}`;

function bytesLine({ receivedBytes, totalBytes, isCompressed, bytesPerSecond, secondsLeft }: TransferNow): string {
  const total = totalBytes === undefined ? '' : ` of ${bytes(totalBytes)}`;
  const left = secondsLeft === undefined ? '' : ` · about ${duration(secondsLeft)} left`;
  return `${bytes(receivedBytes)}${total}${isCompressed ? ' (compressed)' : ''} · ${bytes(bytesPerSecond)}/s${left}`;
}

function requestsLine({ since, measuredAt, requests, failures, faults }: TransferNow, now: Date): string {
  const kinds = failures === 0 ? '' : ` (${faultCounts(faults)})`;
  const isOld = now.getTime() - Date.parse(measuredAt) > oldMeasurementMs;
  const old = isOld ? ` · as of ${minuteOf(measuredAt)}: no worker has the line` : '';
  return `${requests} requests, ${failures} failed${kinds} · since ${minuteOf(since)}${old}`;
}

/** Age in ms from which a measurement is shown as old. They are made every two seconds. */
const oldMeasurementMs = 60_000;

const faultCounts = (faults: Progress['line']['faults']): string =>
  Object.entries(faults)
    .sort(([, a], [, b]) => b - a)
    .map(([fault, count]) => `${fault} ${count}`)
    .join(', ');

const byteUnits = ['B', 'kB', 'MB', 'GB'] as const;

/** Formats a size with decimal units: `950 B`, `1.2 MB`. */
function bytes(size: number): string {
  const step = size < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log10(size) / 3));
  return `${step === 0 ? size : (size / 1000 ** step).toFixed(1)} ${byteUnits[step]}`;
}

function decisionLines({ awaitingDecision, decision }: Progress): string[] {
  if (!awaitingDecision || decision === undefined) return [];
  const { kind, listId, removals, stored, receivedAt, waitingSince, reasons } = decision;
  const about =
    kind === 'list' ? `list of ${minuteOf(receivedAt)}` : `the insurer answers 410, since ${minuteOf(receivedAt)}`;
  return [
    `! ${removals} removals (of ${stored} stored) wait for you to decide since ${minuteOf(waitingSince)}`,
    `  ${about}: ${reasons.map((reason) => reasonWords[reason]).join(', ')}`,
    `  npm run sync -- removals approve ${listId}`,
    `  npm run sync -- removals reject ${listId}`,
  ];
}

const reasonWords: Readonly<Record<RemovalReason, string>> = {
  'nobody-left': 'nobody would be left',
  share: 'a large share of all patients',
  number: 'a large number of patients',
  'unreadable-entries': 'many entries have no readable KVNR',
  'not-insured-answers': 'many patients in one run',
};

/** Returns one line: who decided what about which removals. */
export const decisionLine = ({ decision, by, decidedAt, kind, listId, removals, stored }: MadeDecision): string =>
  onOneLine(
    `${minuteOf(decidedAt)}  ${decision === 'approve' ? 'approved' : 'rejected'} by ${by}: ${removals} removals (of ${stored} stored), ${kind === 'list' ? 'list' : 'answers 410'} ${listId}`,
  );

/** Returns who paused the line, each with the reason, and what to do. Returns no lines while it is open. */
export function pauseLines(line: Omit<LineStatus, 'busy'>): string[] {
  const { state, by, since, reason, until, openReasons: [first, ...later] = [] } = line;
  if (state === 'open') return [];
  const isTokenRejected = [{ by, reason }, ...later].some(
    (open) => open.by === lineItself && /\b40[13]\b/.test(open.reason ?? ''),
  );
  const when = `${since === undefined ? '' : ` since ${minuteOf(since)}`}${untilOf(first)}`;
  return [
    `! line paused by ${personOf(by)}${when}: ${reason ?? 'no reason given'}`,
    ...reasonLines({ ...line, openReasons: later }).map((each) => `! also paused ${each}`),
    ...(until === undefined ? [] : [`  opens by itself at ${minuteOf(until)}`]),
    `  ${isTokenRejected ? 'start again with the right INSURER_API_TOKEN, then' : 'to resume'}: npm run sync -- resume <reason>`,
  ].map(onOneLine);
}

/** Returns until when quiet hours last, and what waits. Returns no lines outside of them. */
export const quietLines = ({ quietHours }: Pick<LineStatus, 'quietHours'>, whoWaits = 'runs wait'): string[] =>
  quietHours === undefined ? [] : [`  quiet hours until ${minuteOf(quietHours.until)}: ${whoWaits} until then`];

/** Returns one line for each reason of a pause: who gave it, since when, and why. */
export const reasonLines = ({
  openReasons = [],
  droppedReasons = 0,
}: Pick<LineStatus, 'openReasons' | 'droppedReasons'>): string[] => [
  ...openReasons.map((open) =>
    onOneLine(`by ${personOf(open.by)} since ${minuteOf(open.since)}${untilOf(open)}: ${open.reason}`),
  ),
  ...(droppedReasons > 0 ? [`for ${droppedReasons} more ${droppedReasons === 1 ? 'reason' : 'reasons'}`] : []),
];

const cooldownWords: Readonly<Record<CooldownReason, string>> = {
  'retry-after': 'the insurer asks for it (Retry-After)',
  busy: 'the insurer asks for patience, and names no time',
  outage: 'forty requests in a row have failed',
};

/** Returns why nothing is sent although the line is open, until when, and the pace. Returns no lines if nothing limits it. */
export const limitLines = ({
  state,
  cooldown,
  pace,
}: LineLimits & { readonly state?: LineStatus['state'] }): string[] => [
  ...(cooldown
    ? [
        `! nothing is sent until ${secondOf(cooldown.until)}: ${cooldownWords[cooldown.reason]}`,
        ...(state === 'paused' ? [] : ['  to send immediately: npm run sync -- lift <reason>']),
      ]
    : []),
  ...(pace ? [`  pace: at most ${paceWords(pace.requestsPerMinute)}${setBy(pace)}`] : []),
];

const paceWords = (requestsPerMinute: number): string =>
  requestsPerMinute === 1 ? '1 request a minute' : `${requestsPerMinute} requests a minute`;

const setBy = ({ by, since, reason }: NonNullable<LineLimits['pace']>): string =>
  by === undefined || since === undefined
    ? ', the default'
    : onOneLine(`, set by ${by} at ${minuteOf(since)}: ${reason}`);

/** Returns one line: what an operator has changed on the line, when and why. */
export const changeLine = (change: LineChange): string =>
  onOneLine(
    `${minuteOf(change.at)}  ${changeWords(change)} by ${personOf(change.by)}${untilOf(change)}: ${change.reason}`,
  );

const untilOf = ({ until }: Pick<LineChange, 'until'> = {}): string =>
  until === undefined ? '' : ` until ${minuteOf(until)}`;

function changeWords({ kind, state, requestsPerMinute }: LineChange): string {
  if (kind === 'lift') return 'cooldown lifted';
  if (kind === 'pace')
    return `pace set to ${requestsPerMinute === undefined ? 'the default' : paceWords(requestsPerMinute)}`;
  return state === 'paused' ? 'paused ' : 'resumed';
}

/**
 * Returns one line of an access log: when, what, with which outcome, and by whom.
 * @param isOfSeveral the entries come from several logs, so the line also says from which
 */
export const accessLine = (
  { patientRef, seq, recorded, operation, outcome, agent: { who, name, role }, entity, ...links }: AccessEntry,
  isOfSeveral: boolean,
): string =>
  onOneLine(
    [
      String(seq).padStart(5),
      `${recorded.slice(0, 19).replace('T', ' ')} UTC`,
      `${operation}${entity ? ` (${entity.kind} ${entity.id})` : ''}${linkOf(links)}`,
      outcome,
      `${who}${name === undefined ? '' : ` (${name})`} as ${role}`,
      ...(isOfSeveral ? [patientRef] : []),
    ].join('  '),
  );

function linkOf({ previousPatientRef, nextPatientRef }: Pick<AccessEntry, 'previousPatientRef' | 'nextPatientRef'>) {
  if (previousPatientRef !== undefined) return ` (before: ${previousPatientRef})`;
  return nextPatientRef === undefined ? '' : ` (now: ${nextPatientRef})`;
}

const personOf = (by: string | undefined): string => (by === lineItself ? 'the system' : (by ?? 'somebody'));
const secondOf = (isoTime: string): string => `${isoTime.slice(0, 19).replace('T', ' ')} UTC`;
export const minuteOf = (isoTime: string): string => `${isoTime.slice(0, 16).replace('T', ' ')} UTC`;
/**
 * Replaces characters that act on a terminal or turn the direction of a line, such as U+202E: a reason is free text, and the insurer's
 * names may have any characters.
 */
export const onOneLine = (line: string): string => line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ');

const bar = (share: number, columns: number): string => {
  if (columns < 5) return '';
  const full = Math.round(share * columns);
  return `[${'█'.repeat(full)}${'░'.repeat(columns - full)}] `;
};

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const elapsedSeconds = ({ startedAt, finishedAt }: Progress, now: Date): number =>
  Math.max(0, (finishedAt === undefined ? now.getTime() : Date.parse(finishedAt)) - Date.parse(startedAt)) / 1000;

/** Formats a duration: `1:05`, `2:03:09`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const clock = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, '0'));
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${clock.join(':')}` : `${Number(clock[0])}:${clock[1]}`;
}
