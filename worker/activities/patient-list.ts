import type { FetchPatientListInput, FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { Line } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';
import { beginAttempt, finalFailure, keep, nothingSpent, type Spent } from './line-attempt.ts';
import { emptyList, type ListProgress, ListSegments } from './list-segments.ts';

/** Where the segments of a list are kept (core/stores/lists.ts). */
export interface SegmentStore {
  putSegment(listId: string, index: number, body: Buffer): Promise<PayloadReference>;
}

export interface PatientListDeps {
  readonly line: Pick<Line, 'fetchList'>;
  readonly lists: SegmentStore;
}

interface ListDetails extends Spent {
  readonly list: ListProgress;
  /** answers in a row that came whole and were no use, network faults between them not counted */
  readonly unusable: number;
}

/** After so many the rest is not asked for any more: perhaps the whole list comes. */
const unusableBeforeAnew = 20;
/** After so many nobody mends it by asking: the list counts as unusable. */
const unusableMax = 40;

/** An attempt's segments have names of their own: one that lives on after its time overwrites nothing of the next. */
const segmentsPerAttempt = 100_000;

/**
 * LineActivities.fetchPatientList: streams the list into the bucket, and goes on where it broke, over tries and attempts.
 * What is kept is told in the heartbeats.
 * @throws ApplicationFailure `ListUnusable`, non-retryable, when the insurer keeps answering what is no list
 */
export async function fetchPatientList(
  { line, lists }: PatientListDeps,
  { listId, knownEtag }: FetchPatientListInput,
): Promise<FetchPatientListResult> {
  const attempt = beginAttempt<ListDetails>({ ...nothingSpent, list: emptyList, unusable: 0 });
  let index = attempt.number * segmentsPerAttempt;
  const segments = new ListSegments({
    // What cannot be taken up again begins anew, as does what was never more than an ETag.
    progress: attempt.details.list.isWhole || attempt.details.list.resumeEtag ? attempt.details.list : emptyList,
    put: (body) => keep(() => lists.putSegment(listId, index++, body), attempt.signal),
    onProgress: (list) => attempt.note({ list }),
    now: () => performance.now(),
  });
  try {
    while (!segments.progress.isWhole) {
      if (attempt.details.unusable >= unusableMax) throw finalFailure('ListUnusable', attempt.details);
      attempt.goOn();
      const { resume, takenBytes } = segments;
      try {
        const request = resume ? { resume } : knownEtag === undefined ? {} : { knownEtag };
        const outcome = await line.fetchList(request, segments, attempt.signal);
        if (outcome === 'whole') await segments.finish();
        attempt.succeeded();
        if (outcome === 'unchanged') return { kind: 'unchanged', lineUse: attempt.details.lineUse };
        if (outcome === 'range-refused') segments.startAgain();
      } catch (error) {
        attempt.failed(error);
        if (isUnusableAnswer(error)) {
          attempt.note({ unusable: attempt.details.unusable + 1 });
          if (resume && attempt.details.unusable === unusableBeforeAnew) segments.startAgain();
        } else if (segments.takenBytes > takenBytes) attempt.note({ unusable: 0 }); // a part of a list has come
      }
    }
    const { sizeBytes, etag, segments: references } = segments.progress;
    return {
      kind: 'list',
      list: { listId, segments: references, sizeBytes, ...(etag !== undefined && { etag }) },
      lineUse: attempt.details.lineUse,
    };
  } finally {
    if (segments.resume) await segments.flush().catch(() => {}); // for the next attempt; without it that asks for more again
    attempt.end();
  }
}

/** An answer that came as the insurer meant it, and is no list: a 404, a redirect, a page. Not what the network spoils. */
const isUnusableAnswer = (error: unknown): boolean =>
  error instanceof LineError &&
  error.context.status !== undefined &&
  ['contract', 'not-json', 'redirect'].includes(error.fault);
