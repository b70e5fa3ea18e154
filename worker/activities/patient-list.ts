import type { FetchPatientListInput, FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { ListsStore } from '../../core/stores/lists.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { Line } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';
import { beginAttempt, finalFailure, keep, nothingSpent, type Spent } from './line-attempt.ts';
import { emptyList, type ListProgress, ListSegments } from './list-segments.ts';

export interface PatientListDeps {
  readonly line: Pick<Line, 'fetchList'>;
  readonly lists: Pick<ListsStore, 'putSegment' | 'putManifest' | 'readManifest'>;
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
  let segments: ListSegments | undefined;
  try {
    segments = new ListSegments({
      ...(await keep(() => takeUp(lists, attempt.details.list), attempt.signal)),
      put: (body) => keep(() => lists.putSegment(listId, index++, body), attempt.signal),
      putManifest: (row) => keep(() => lists.putManifest(listId, row), attempt.signal),
      onProgress: (list) => attempt.note({ list }),
      now: () => performance.now(),
    });
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
    const { sizeBytes, etag } = segments.progress;
    return {
      kind: 'list',
      list: { listId, manifest: await segments.gather(), sizeBytes, ...(etag !== undefined && { etag }) },
      lineUse: attempt.details.lineUse,
    };
  } finally {
    if (segments?.resume) await segments.flush().catch(() => {}); // for the next attempt; without it that asks for more again
    attempt.end();
  }
}

/** What an earlier attempt has left, if it can be taken up: what is not resumable begins anew. */
async function takeUp(
  lists: PatientListDeps['lists'],
  progress: ListProgress,
): Promise<{ progress: ListProgress; earlier: readonly PayloadReference[] }> {
  const { manifest, isWhole, resumeEtag } = progress;
  if (!isWhole && resumeEtag === undefined) return { progress: emptyList, earlier: [] };
  try {
    return { progress, earlier: manifest === undefined ? [] : await lists.readManifest(manifest) };
  } catch (error) {
    if (error instanceof PayloadError) return { progress: emptyList, earlier: [] };
    throw error;
  }
}

/** An answer that came as the insurer meant it, and is no list: a 404, a redirect, a page. Not what the network spoils. */
const isUnusableAnswer = (error: unknown): boolean =>
  error instanceof LineError &&
  error.context.status !== undefined &&
  ['contract', 'not-json', 'redirect'].includes(error.fault);
