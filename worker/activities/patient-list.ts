import type { FetchPatientListInput, FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { LineFault } from '../../core/domain/line.ts';
import type { ListsStore } from '../../core/stores/lists.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { InsurerClient } from '../insurer/insurer-client.ts';
import { LineError, StorageTooSlow } from '../line/line-error.ts';
import type { TransferReporter } from '../reporting/transfer-reporter.ts';
import {
  type AttemptUsage,
  finalFailure,
  type LineAttempt,
  noUsage,
  retryWhileUnavailable,
  withLineAttempt,
} from './line-attempt.ts';
import { CutWithoutDeclaredEnd, emptyList, type ListProgress, ListSegments } from './list-segments.ts';

export interface PatientListDeps {
  readonly insurer: Pick<InsurerClient, 'fetchList'>;
  readonly lists: Pick<ListsStore, 'putSegment' | 'putManifest' | 'readManifest'>;
  readonly transferReporter: Pick<TransferReporter, 'follow'>;
  /** maximum time in ms for which the storage of a segment may hold the line at first */
  readonly storageHoldMaxMs?: number;
}

interface ListDetails extends AttemptUsage {
  readonly list: ListProgress;
  /** consecutive complete answers that were not a list; network faults in between do not count */
  readonly unusableAnswers: number;
  /** what was wrong with the last of them */
  readonly problem?: string;
  /** SegmentsOptions.holdMaxMs */
  readonly holdMaxMs: number;
}

/** More than a healthy bucket needs for a segment. */
const storageHoldMaxMsDefault = 10_000;

/** Number of answers 416 in a row after which the list is asked for without a range. One may be the error of a proxy. */
const unsatisfiedMax = 2;
/** Number of unusable answers after which the fetch stops asking for the rest, and asks for the whole list. */
const unusableBeforeRestart = 20;
/** Number of unusable answers after which the list counts as unusable. */
const unusableMax = 40;

/** Each attempt has its own range of segment numbers: an attempt that outlives its timeout overwrites nothing. */
const segmentsPerAttempt = 100_000;

/**
 * Implements LineActivities.fetchPatientList: streams the list into the bucket. If a transfer breaks, the next request or
 * attempt resumes it. The heartbeats contain what is stored. If the bucket is slow, the request ends, and the transfer is
 * resumed once the bucket has the bytes.
 * @throws ApplicationFailure `ListUnusable`, non-retryable, if the insurer keeps sending answers that are not a list
 */
export async function fetchPatientList(
  deps: PatientListDeps,
  input: FetchPatientListInput,
): Promise<FetchPatientListResult> {
  const { storageHoldMaxMs: holdMaxMs = storageHoldMaxMsDefault } = deps;
  return await withLineAttempt<ListDetails, FetchPatientListResult>(
    { ...noUsage, list: emptyList, unusableAnswers: 0, holdMaxMs },
    async (attempt) => await fetchWithin(attempt, deps, input),
  );
}

async function fetchWithin(
  attempt: LineAttempt<ListDetails>,
  { insurer, lists, transferReporter }: PatientListDeps,
  { listId, knownEtag }: FetchPatientListInput,
): Promise<FetchPatientListResult> {
  let nextSegment = attempt.number * segmentsPerAttempt;
  let segments: ListSegments | undefined;
  /** number of answers 416 in a row */
  let unsatisfied = 0;
  const transfer = transferReporter.follow({
    kind: 'list',
    listId,
    since: attempt.since,
    received: () => segments?.received ?? { receivedBytes: attempt.details.list.sizeBytes },
    use: () => attempt.details.lineUse,
  });
  try {
    segments = new ListSegments({
      ...(await retryWhileUnavailable(() => resumeFrom(lists, attempt.details.list), attempt.signal)),
      putSegment: (body) => retryWhileUnavailable(() => lists.putSegment(listId, nextSegment++, body), attempt.signal),
      putManifest: (references) => retryWhileUnavailable(() => lists.putManifest(listId, references), attempt.signal),
      onProgress: (list) => attempt.updateDetails({ list }),
      now: () => performance.now(),
      holdMaxMs: attempt.details.holdMaxMs,
      onLongerHold: (holdMaxMs) => attempt.updateDetails({ holdMaxMs }),
    });
    while (!segments.progress.isComplete) {
      if (attempt.details.unusableAnswers >= unusableMax)
        throw finalFailure('ListUnusable', attempt.details, { problem: attempt.details.problem });
      attempt.throwIfUsedUp();
      const { resume, receivedBytes } = segments;
      const isWhole = unsatisfied >= unsatisfiedMax;
      try {
        const request = resume ? { resume: { ...resume, isWhole } } : knownEtag === undefined ? {} : { knownEtag };
        const outcome = await insurer.fetchList(request, segments, attempt.signal);
        unsatisfied = outcome === 'range-not-satisfiable' ? unsatisfied + 1 : 0;
        attempt.countSuccess();
        if (outcome === 'more') {
          attempt.updateDetails({ unusableAnswers: 0 });
          await segments.flushIfDue();
        }
        if (outcome === 'unchanged') return { kind: 'unchanged', lineUse: attempt.details.lineUse };
      } catch (error) {
        attempt.countFailure(error);
        if (isWhole) unsatisfied = 0; // continue by range what may have arrived
        if (error instanceof StorageTooSlow) attempt.warn('line freed: the bucket has not stored a segment in time');
        await segments.whenStored(); // the line is free meanwhile
        if (isUnusableAnswer(error)) {
          const { status, problem = status === undefined ? error.fault : `status ${status}` } = error.context;
          attempt.updateDetails({ unusableAnswers: attempt.details.unusableAnswers + 1, problem });
          if (resume && attempt.details.unusableAnswers === unusableBeforeRestart) segments.restart();
        } else if (segments.receivedBytes > receivedBytes && !(error instanceof CutWithoutDeclaredEnd))
          attempt.updateDetails({ unusableAnswers: 0 }); // a part of a list has arrived
      }
    }
    const { sizeBytes, etag, charset, fetchOrder } = segments.progress;
    return {
      kind: 'list',
      list: {
        listId,
        manifest: await segments.writeManifest(),
        sizeBytes,
        ...(etag !== undefined && { etag }),
        ...(charset !== undefined && { charset }),
        ...(fetchOrder !== undefined && { fetchOrder }),
      },
      lineUse: attempt.details.lineUse,
    };
  } finally {
    transfer.end();
    await segments?.whenStored().catch(() => {});
    if (segments?.resume) await segments.flush().catch(() => {}); // so that the next attempt has less to fetch
  }
}

/** Reads what an earlier attempt has stored. Returns an empty list if the transfer cannot be resumed. */
async function resumeFrom(
  lists: PatientListDeps['lists'],
  progress: ListProgress,
): Promise<{ progress: ListProgress; manifestSegments: readonly PayloadReference[] }> {
  const { manifest, isComplete, position } = progress;
  if (!isComplete && position === undefined) return { progress: emptyList, manifestSegments: [] };
  try {
    return { progress, manifestSegments: manifest === undefined ? [] : await lists.readManifest(manifest) };
  } catch (error) {
    if (error instanceof PayloadError) return { progress: emptyList, manifestSegments: [] };
    throw error;
  }
}

/**
 * Faults of an answer that came and is not a list, such as a 404, a page, an unknown encoding, or bytes that are not HTTP. Any
 * of them may repeat for ever, so each counts, also without a status. The others are of the network, or ask for patience.
 */
const unusableFaults: readonly LineFault[] = ['contract', 'not-json', 'redirect', 'too-large'];

const isUnusableAnswer = (error: unknown): error is LineError =>
  error instanceof LineError && unusableFaults.includes(error.fault);
