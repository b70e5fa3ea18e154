import { addLineUse, failuresOf, type LineUse } from './line.ts';
import { failureRateOf, type Progress } from './progress.ts';

/** What has arrived of an answer. Bytes are those of the body as the insurer sends it, which may be compressed. */
export interface Received {
  readonly receivedBytes: number;
  /** absent if the insurer does not say it */
  readonly totalBytes?: number;
  /** true if the bytes are compressed; absent otherwise */
  readonly isCompressed?: true;
}

/**
 * A fetch that takes long: the list, or the large care records of one patient. Holds no data about patients. The line process
 * measures it, and saves it every two seconds.
 */
export interface Transfer extends Received {
  readonly kind: 'list' | 'care-records';
  /** of the list: of which fetch of which run */
  readonly listId?: string;
  /** when the fetch began, also across retries and workers; ISO 8601 UTC */
  readonly since: string;
  /** over the last minute */
  readonly bytesPerSecond: number;
  /** all requests of this fetch that have ended */
  readonly use: LineUse;
}

/** The transfers at one moment, of the worker that holds the line. */
export interface MeasuredTransfers {
  /** ISO 8601 UTC, by the clock of that worker */
  readonly measuredAt: string;
  readonly transfers: readonly Transfer[];
  /** the requests so far for patients of a run whose fetch has not ended for a while; absent if there are none */
  readonly unfinished?: { readonly runId: string; readonly use: LineUse };
}

/** A transfer as people see it. */
export interface TransferNow extends Received {
  readonly kind: Transfer['kind'];
  readonly since: string;
  readonly measuredAt: string;
  readonly bytesPerSecond: number;
  /** until the last byte, at that rate; absent if unknown */
  readonly secondsLeft?: number;
  readonly requests: number;
  readonly failures: number;
  readonly faults: LineUse['faults'];
}

/** Age in ms from which a measurement is old: no worker has the line, or DynamoDB does not take its writes. */
const oldMs = 15_000;

/**
 * Adds the transfers to the progress of a run. The run itself learns of the requests for its list, and for a patient, only when
 * the fetch has ended. So they are added to those of the run until then. Of an old measurement, only the list is shown,
 * without a rate.
 */
export function withTransfers<P extends Progress>(
  progress: P,
  measured: MeasuredTransfers,
  nowMs: number,
): P & { readonly transfers?: readonly TransferNow[] } {
  const isOld = nowMs - Date.parse(measured.measuredAt) > oldMs;
  const isFetchingList = progress.state === 'running' && progress.phase === 'list';
  const shown = measured.transfers.filter(({ kind, listId }) =>
    kind === 'list' ? isFetchingList && listId?.startsWith(`${progress.runId}-`) : !isOld,
  );
  const isOfRun = progress.state === 'running' && measured.unfinished?.runId === progress.runId;
  const uses = [
    ...shown.filter(({ kind }) => kind === 'list').map(({ use }) => use),
    ...(isOfRun && measured.unfinished ? [measured.unfinished.use] : []),
  ];
  if (shown.length === 0 && uses.length === 0) return progress;
  const { requests, faults } = uses.reduce(addLineUse, progress.line);
  const use = { requests, faults };
  return {
    ...progress,
    ...(uses.length > 0 && {
      line: { ...progress.line, ...use, failures: failuresOf(use), failureRate: failureRateOf(use) },
    }),
    ...(shown.length > 0 && { transfers: shown.map((transfer) => asSeen(transfer, measured.measuredAt, isOld)) }),
  };
}

function asSeen({ listId: _, use, ...transfer }: Transfer, measuredAt: string, isOld: boolean): TransferNow {
  const { receivedBytes, totalBytes } = transfer;
  const rate = isOld ? 0 : transfer.bytesPerSecond;
  const left = totalBytes === undefined || rate === 0 ? undefined : Math.ceil((totalBytes - receivedBytes) / rate);
  return {
    ...transfer,
    measuredAt,
    bytesPerSecond: rate,
    ...(left !== undefined && { secondsLeft: left }),
    requests: use.requests,
    failures: failuresOf(use),
    faults: use.faults,
  };
}
