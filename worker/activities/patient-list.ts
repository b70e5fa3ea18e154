import type { FetchPatientListInput, FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { Line } from '../line/line.ts';
import { beginAttempt, keep, nothingSpent, type Spent } from './line-attempt.ts';
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
}

/** An attempt's segments have names of their own: one that lives on after its time overwrites nothing of the next. */
const segmentsPerAttempt = 100_000;

/**
 * LineActivities.fetchPatientList: streams the list into the bucket, and goes on where it broke, over tries and attempts.
 * What is kept is told in the heartbeats.
 */
export async function fetchPatientList(
  { line, lists }: PatientListDeps,
  { listId, knownEtag }: FetchPatientListInput,
): Promise<FetchPatientListResult> {
  const attempt = beginAttempt<ListDetails>({ ...nothingSpent, list: emptyList });
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
      attempt.goOn();
      const { resume } = segments;
      try {
        const request = resume ? { resume } : knownEtag === undefined ? {} : { knownEtag };
        const outcome = await line.fetchList(request, segments, attempt.signal);
        if (outcome === 'whole') await segments.finish();
        attempt.succeeded();
        if (outcome === 'unchanged') return { kind: 'unchanged', lineUse: attempt.details.lineUse };
        if (outcome === 'range-refused') segments.startAgain();
      } catch (error) {
        attempt.failed(error);
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
