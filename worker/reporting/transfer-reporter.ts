import { addByteSample, type ByteSamples, bytesPerSecond } from '../../core/domain/byte-rate.ts';
import { addLineUse, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import type { MeasuredTransfers, Received, Transfer } from '../../core/domain/transfer.ts';

/** One attempt to fetch the list, or one answer with care records. */
export interface FollowedTransfer extends Pick<Transfer, 'kind' | 'listId' | 'since'> {
  /** Returns what has arrived so far. */
  received(): Received;
  /** Returns the requests of the fetch so far. */
  use(): LineUse;
}

/** Tells people about fetches that take long: see core/domain/transfer.ts. */
export interface TransferReporter {
  /**
   * Follows a transfer until `end` is called. Of a list, people then see the last state: another attempt may go on with it,
   * and the progress of its run says when it is complete.
   */
  follow(transfer: FollowedTransfer): { end(): void };
  /**
   * Counts the requests of a run for one patient, until `end` is called. Another attempt of the same fetch replaces it.
   * @param use returns the requests of the fetch so far, in all attempts
   */
  count(fetch: { readonly runId: string; readonly patientRef: string; use(): LineUse }): { end(): void };
  stop(): void;
}

/** Time in ms between two measurements. */
const measureMs = 2_000;
/** Care records are shown from this size or duration on. Most are complete before, and cost no write. */
const largeBytes = 1_000_000;
const longMs = 2_000;
/** Requests for a patient are reported from this duration of the fetch on. Most fetches end before, and the run counts them. */
const unfinishedMs = 10_000;

interface Followed {
  readonly transfer: FollowedTransfer;
  readonly sinceMs: number;
  samples: ByteSamples;
  receivedBytes: number;
}

interface Counted {
  readonly runId: string;
  readonly sinceMs: number;
  use(): LineUse;
}

/**
 * Creates the reporter of one line process.
 * @param isOpen whether this process holds the open line; otherwise another one may save
 * @param save must fail by itself within a second or two. A failure is ignored, because the next measurement follows
 * @param nowMs a monotonic clock
 */
export function createTransferReporter(
  save: (measured: MeasuredTransfers) => Promise<void>,
  isOpen: () => boolean,
  nowMs: () => number = () => performance.now(),
): TransferReporter {
  const followed = new Set<Followed>();
  /** by patientRef */
  const counted = new Map<string, Counted>();
  let lastList: Followed | undefined;
  let isShown = false;
  let saving: Promise<void> = Promise.resolve();

  /** Saves what people should see, unless that is nothing and they see nothing. Saves never overlap. */
  const report = (): void => {
    saving = saving.then(async () => {
      const transfers = [...followed]
        .filter((each) => isWorthShowing(each, nowMs()))
        .map(({ transfer, samples }) => {
          const { kind, listId, since } = transfer;
          const rate = bytesPerSecond(samples);
          const facts = { kind, since, ...(listId !== undefined && { listId }) };
          return { ...facts, ...plausible(transfer.received()), bytesPerSecond: rate, use: transfer.use() };
        });
      const unfinished = unfinishedIn([...counted.values()], nowMs());
      const isSomething = transfers.length > 0 || unfinished !== undefined;
      if (!isSomething && !isShown) return;
      if (transfers.length === 0 && !isOpen()) return; // later, unless another process has the line
      isShown = isSomething;
      const measuredAt = new Date().toISOString();
      await save({ measuredAt, transfers, ...(unfinished && { unfinished }) }).catch(() => {});
    });
  };

  const timer = setInterval(() => {
    for (const each of followed) measure(each, nowMs());
    report();
  }, measureMs);

  return {
    follow(transfer) {
      const sinceMs = nowMs();
      const { receivedBytes } = transfer.received();
      const isSameList = transfer.kind === 'list' && lastList?.transfer.listId === transfer.listId;
      const samples = (isSameList && lastList?.samples) || [{ atMs: sinceMs, bytes: 0 }];
      const entry: Followed = { transfer, sinceMs, samples, receivedBytes };
      followed.add(entry);
      if (transfer.kind === 'list') {
        lastList = entry;
        report(); // people may still see the list before
      }
      return {
        end() {
          measure(entry, nowMs());
          followed.delete(entry);
          if (transfer.kind !== 'list') report();
        },
      };
    },
    count({ runId, patientRef, use }) {
      for (const [ref, each] of counted) if (each.runId < runId) counted.delete(ref); // an older run is over
      const before = counted.get(patientRef);
      const sinceMs = before?.runId === runId ? before.sinceMs : nowMs();
      const entry = { runId, sinceMs, use };
      counted.set(patientRef, entry);
      return {
        end() {
          if (counted.get(patientRef) === entry) counted.delete(patientRef);
        },
      };
    },
    stop: () => clearInterval(timer),
  };
}

/** Sums up the fetches of the newest run that have not ended for a while. */
function unfinishedIn(fetches: readonly Counted[], atMs: number): MeasuredTransfers['unfinished'] {
  const runId = fetches
    .map((fetch) => fetch.runId)
    .sort()
    .at(-1);
  const uses = fetches.filter((fetch) => fetch.runId === runId && atMs - fetch.sinceMs >= unfinishedMs);
  if (runId === undefined || uses.length === 0) return undefined;
  return { runId, use: uses.map((fetch) => fetch.use()).reduce(addLineUse, zeroLineUse) };
}

/** Counts what has arrived since the last measurement. If a transfer starts again, that is all that it has. */
function measure(entry: Followed, atMs: number): void {
  const { receivedBytes } = entry.transfer.received();
  const newBytes = receivedBytes < entry.receivedBytes ? receivedBytes : receivedBytes - entry.receivedBytes;
  entry.receivedBytes = receivedBytes;
  entry.samples = addByteSample(entry.samples, atMs, (entry.samples.at(-1)?.bytes ?? 0) + newBytes);
}

const isWorthShowing = ({ transfer, sinceMs }: Followed, atMs: number): boolean =>
  transfer.kind === 'list' || atMs - sinceMs >= longMs || transfer.received().receivedBytes >= largeBytes;

/** Leaves out a total that cannot be true. */
const plausible = ({ totalBytes, ...received }: Received): Received => ({
  ...received,
  ...(totalBytes !== undefined && totalBytes >= received.receivedBytes && { totalBytes }),
});
