import type { FetchPatientListInput, FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { ListsStore } from '../../core/stores/lists.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { Line } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';
import { type AttemptUsage, beginAttempt, finalFailure, noUsage, retryWhileUnavailable } from './line-attempt.ts';
import { emptyList, type ListProgress, ListSegments } from './list-segments.ts';

export interface PatientListDeps {
  readonly line: Pick<Line, 'fetchList'>;
  readonly lists: Pick<ListsStore, 'putSegment' | 'putManifest' | 'readManifest'>;
}

interface ListDetails extends AttemptUsage {
  readonly list: ListProgress;
  /** answers in a row that came whole and were no use, network faults between them not counted */
  readonly unusable: number;
}

/** After so many the rest is not asked for any more: perhaps the whole list comes. */
const unusableBeforeRestart = 20;
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
  const attempt = beginAttempt<ListDetails>({ ...noUsage, list: emptyList, unusable: 0 });
  let index = attempt.number * segmentsPerAttempt;
  let segments: ListSegments | undefined;
  try {
    segments = new ListSegments({
      ...(await retryWhileUnavailable(() => resumeFrom(lists, attempt.details.list), attempt.signal)),
      putSegment: (body) => retryWhileUnavailable(() => lists.putSegment(listId, index++, body), attempt.signal),
      putManifest: (row) => retryWhileUnavailable(() => lists.putManifest(listId, row), attempt.signal),
      onProgress: (list) => attempt.updateDetails({ list }),
      now: () => performance.now(),
    });
    while (!segments.progress.isWhole) {
      if (attempt.details.unusable >= unusableMax) throw finalFailure('ListUnusable', attempt.details);
      attempt.throwIfUsedUp();
      const { resume, receivedBytes } = segments;
      try {
        const request = resume ? { resume } : knownEtag === undefined ? {} : { knownEtag };
        const outcome = await line.fetchList(request, segments, attempt.signal);
        if (outcome === 'whole') await segments.finish();
        attempt.countSuccess();
        if (outcome === 'unchanged') return { kind: 'unchanged', lineUse: attempt.details.lineUse };
        if (outcome === 'range-refused') segments.restart();
      } catch (error) {
        attempt.countFailure(error);
        if (isUnusableAnswer(error)) {
          attempt.updateDetails({ unusable: attempt.details.unusable + 1 });
          if (resume && attempt.details.unusable === unusableBeforeRestart) segments.restart();
        } else if (segments.receivedBytes > receivedBytes) attempt.updateDetails({ unusable: 0 }); // a part of a list has come
      }
    }
    const { sizeBytes, etag } = segments.progress;
    return {
      kind: 'list',
      list: { listId, manifest: await segments.writeManifest(), sizeBytes, ...(etag !== undefined && { etag }) },
      lineUse: attempt.details.lineUse,
    };
  } finally {
    if (segments?.resume) await segments.flush().catch(() => {}); // for the next attempt; without it that asks for more again
    attempt.stop();
  }
}

/** What an earlier attempt has left, if it can be taken up: what is not resumable begins anew. */
async function resumeFrom(
  lists: PatientListDeps['lists'],
  progress: ListProgress,
): Promise<{ progress: ListProgress; manifestSegments: readonly PayloadReference[] }> {
  const { manifest, isWhole, resumeEtag } = progress;
  if (!isWhole && resumeEtag === undefined) return { progress: emptyList, manifestSegments: [] };
  try {
    return { progress, manifestSegments: manifest === undefined ? [] : await lists.readManifest(manifest) };
  } catch (error) {
    if (error instanceof PayloadError) return { progress: emptyList, manifestSegments: [] };
    throw error;
  }
}

/** An answer that came as the insurer meant it, and is no list: a 404, a redirect, a page. Not what the network spoils. */
const isUnusableAnswer = (error: unknown): boolean =>
  error instanceof LineError &&
  error.context.status !== undefined &&
  ['contract', 'not-json', 'redirect'].includes(error.fault);
