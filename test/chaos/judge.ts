import type { Insurer } from '../../simulator/insurer.ts';
import type { LogEntry, Summary } from '../../simulator/log.ts';
import type { Loss, Scene } from './faults.ts';
import { wasUnimpaired } from './worker-pool.ts';

/** Violations in the insurer's log. */
const guarantees = [
  'overlaps',
  'whilePaused',
  'inFlightWhenPaused',
  'beforeRetryAfter',
  'after410',
  'followedRedirects',
] as const satisfies readonly (keyof Summary)[];

/** Returns the broken guarantees; empty if all were kept. */
export function brokenGuarantees(scene: Scene): string[] {
  const summary = scene.day.insurer.summary();
  const unknowable = unknowableRequests(scene);
  const broken = { ...summary };
  for (const guarantee of ['beforeRetryAfter', 'after410'] as const) broken[guarantee] -= unknowable[guarantee];
  return guarantees
    .filter((guarantee) => broken[guarantee] > 0)
    .map((guarantee) => `${guarantee}: ${broken[guarantee]}`);
}

/** Time in ms in which a process stores a Retry-After or a 410 in the tables, if it can. */
const storeMs = 250;

/**
 * Returns the requests against a Retry-After or a 410 that no worker could know. The only process that received it was killed
 * at that moment, frozen until its lease was over, or disconnected from the tables (docs/explanation/limits.md).
 */
export function unknowableRequests({ day: { insurer }, pool }: Scene): Record<'beforeRetryAfter' | 'after410', number> {
  const log = insurer.log();
  const takes = pool.all
    .flatMap((member) => member.worker.takes.map(({ atMs }) => ({ member, atMs })))
    .sort((a, b) => a.atMs - b.atMs);
  const wasUnknowable = (answered: LogEntry | undefined): boolean => {
    const answeredMs = answered?.endedAt ?? 0;
    const receiver = takes.findLast(({ atMs }) => atMs <= answeredMs)?.member;
    return (receiver?.impairments ?? []).some(({ what, fromMs, untilMs = Number.POSITIVE_INFINITY }) => {
      const preventsStoring =
        what === 'ended' || what === 'without line process' || what === 'line process unresponsive' || what === 'aws';
      return preventsStoring && fromMs <= answeredMs + storeMs && untilMs > answeredMs;
    });
  };
  const before = (entry: LogEntry, fits: (other: LogEntry) => boolean): LogEntry | undefined =>
    log.findLast((other) => other.number < entry.number && fits(other));
  return {
    beforeRetryAfter: log.filter(
      (entry) => entry.beforeRetryAfter && wasUnknowable(before(entry, ({ outcome }) => outcome === 'busy')),
    ).length,
    after410: log.filter(
      (entry) =>
        entry.after410 &&
        wasUnknowable(before(entry, ({ kvnr, outcome }) => kvnr === entry.kvnr && outcome === 'not-insured')),
    ).length,
  };
}

/** Returns the log of the requests that broke a guarantee, with those around them. */
export function evidence(insurer: Insurer): string[] {
  const log = insurer.log();
  const isBad = (entry: LogEntry): boolean =>
    entry.overlapped || entry.whilePaused || entry.beforeRetryAfter || entry.after410 || entry.followedRedirect;
  const bad = log.flatMap((entry, index) => (isBad(entry) ? [index] : []));
  const shown = new Set(bad.slice(0, 5).flatMap((index) => [-4, -3, -2, -1, 0, 1].map((step) => index + step)));
  return log.filter((_, index) => shown.has(index)).map(lineOf);
}

const lineOf = (entry: LogEntry): string => {
  const { number, connection, kind, kvnr, outcome, status, isWhole, startedAt, endedAt } = entry;
  const flags = (['overlapped', 'whilePaused', 'beforeRetryAfter', 'after410'] as const).filter((flag) => entry[flag]);
  const until = endedAt === undefined ? 'in flight' : at(endedAt);
  const what = `${kind} ${kvnr ?? ''} ${outcome} ${status ?? ''}${isWhole ? ' whole' : ''}`;
  return `${at(startedAt)} – ${until} #${number} connection ${connection} ${what} ${flags.join(' ').toUpperCase()}`;
};

export const at = (epochMs: number): string => new Date(epochMs).toISOString().slice(11, 23);

/** Times in ms without a request after the loss of a holder, if there was no other cause. */
export interface Idle {
  readonly how: Loss['how'];
  readonly when: Loss['when'];
  readonly ms: number;
}

/**
 * Measures the time from each loss of a holder to the first request of another one. Leaves out times with a pause, a cooldown
 * or too little work, and those without another worker that was unimpaired all the time.
 */
export function idleTimes({ pool, operators, losses, day }: Scene): Idle[] {
  const log = day.insurer.log();
  return losses.flatMap(({ how, when, member, atMs, hadWork }) => {
    const taken = pool.all
      .filter((other) => other !== member)
      .flatMap(({ worker }) => worker.takes)
      .filter((take) => take.atMs >= atMs);
    const takenMs = Math.min(...taken.map((take) => take.atMs));
    const next = log.find(({ startedAt }) => startedAt > takenMs);
    if (next === undefined || !hadWork) return [];
    const isOpen = operators.closed.every(
      ({ fromMs, untilMs = Number.POSITIVE_INFINITY }) => fromMs > next.startedAt || untilMs < atMs - 1_000,
    );
    const wasCoolingDown = log.some(
      ({ outcome, endedAt = 0 }) => outcome === 'busy' && endedAt > atMs - 2_500 && endedAt < next.startedAt,
    );
    const wasReplaceable = pool.all.some((other) => other !== member && wasUnimpaired(other, atMs, next.startedAt));
    if (!isOpen || wasCoolingDown || !wasReplaceable) return [];
    const before = log.findLast(({ number }) => number < next.number);
    return [{ how, when, ms: next.startedAt - Math.max(atMs, Math.min(before?.endedAt ?? atMs, next.startedAt)) }];
  });
}

/** Returns the operators' waits for the confirmation of a pause in ms, by whether the holder was impaired. */
export function pauseTimes({ operators }: Scene): Record<'unimpaired' | 'impaired', number[]> {
  const times: Record<'unimpaired' | 'impaired', number[]> = { unimpaired: [], impaired: [] };
  for (const { askedMs, confirmedMs, holder } of operators.pauses) {
    const isUnimpaired = holder !== undefined && wasUnimpaired(holder, askedMs - 500, confirmedMs);
    times[isUnimpaired ? 'unimpaired' : 'impaired'].push(confirmedMs - askedMs);
  }
  return times;
}

export interface Row {
  readonly what: string;
  readonly count: number;
  readonly p50Ms?: number;
  readonly maxMs?: number;
  readonly goal?: string;
}

export function row(what: string, times: readonly number[], goal?: string): Row {
  const sorted = [...times].sort((a, b) => a - b);
  const shared = { what, count: sorted.length, ...(goal !== undefined && { goal }) };
  if (sorted.length === 0) return shared;
  const p50Ms = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
  return { ...shared, p50Ms, maxMs: Math.round(sorted.at(-1) ?? 0) };
}
