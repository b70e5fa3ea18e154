import type { AccessDraft } from './access.ts';
import type { Insurer } from './fhir/patient.ts';

/** What an export contains: a file has resources of one type. */
export const exportedTypes = ['Patient', 'Coverage', 'EpisodeOfCare', 'DocumentReference'] as const;
export type ExportedType = (typeof exportedTypes)[number];

/** `expired`: it was completed, and its files are deleted. Those of a failed or cancelled export are deleted immediately. */
export const exportStates = ['running', 'paused', 'completed', 'failed', 'cancelled', 'expired'] as const;
export type ExportState = (typeof exportStates)[number];

/**
 * `too-old`: it has not ended within six days; `batch-failed`: one batch failed again and again, and the log has the error;
 * `not-started`: Temporal did not answer the request that was to start it.
 */
export const exportFailures = ['too-old', 'batch-failed', 'not-started'] as const;
export type ExportFailure = (typeof exportFailures)[number];

/** Hours for which the files of a completed export can be downloaded. */
export const exportFilesHours = 24;
/**
 * Days after which an export that has not ended fails. The bucket deletes files after eight days: so a paused export cannot
 * end with files missing.
 */
export const exportDaysMax = 6;
const hourMs = 3_600_000;

/** An export of all patients, without its files. */
export interface Export {
  readonly exportId: string;
  readonly state: ExportState;
  /** who asked for it: the access entries of the patients name them */
  readonly requestedBy: AccessDraft['agent'];
  readonly source: AccessDraft['source'];
  /** when it was asked for, ISO 8601 UTC: everything that was stored before is contained, as it was then or later */
  readonly transactionTime: string;
  /** of the API as the caller sees it, without a slash at the end */
  readonly apiUrl: string;
  readonly insurer: Insurer;
  /** batches written so far */
  readonly batches: number;
  /** the last patient of those batches; absent before the first one */
  readonly after?: string;
  /** patients contained so far */
  readonly patients: number;
  /** patients left out so far, because their stored data cannot be read; absent if there was none */
  readonly skipped?: number;
  /** resources written so far */
  readonly counts: Readonly<Record<ExportedType, number>>;
  /** who paused, resumed or cancelled it last, and when */
  readonly changed?: { readonly by: string; readonly at: string };
  readonly finishedAt?: string;
  readonly failure?: ExportFailure;
}

/** One object with resources of one type, as NDJSON. */
export interface ExportFile {
  readonly type: ExportedType;
  readonly key: string;
  /** number of resources */
  readonly count: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Gives each file of an export the name under which it is saved: its type, and a number within the type. */
export function namedFiles<File extends Pick<ExportFile, 'type'>>(files: readonly File[]) {
  const numbers = new Map<ExportedType, number>();
  return files.map((file) => {
    const number = (numbers.get(file.type) ?? 0) + 1;
    numbers.set(file.type, number);
    return { ...file, fileName: `${file.type}-${String(number).padStart(5, '0')}.ndjson` };
  });
}

/** Some patients of an export, in the order of their pseudonyms. */
export interface ExportBatch {
  /** the last patient that was read; absent if there was none */
  readonly after?: string;
  /** no patient follows */
  readonly isLast: boolean;
  /** patients contained */
  readonly patients: number;
  /** patients left out, because their stored data cannot be read */
  readonly skipped?: number;
  /** at most one of each type */
  readonly files: readonly ExportFile[];
}

export const isExportInProgress = ({ state }: Pick<Export, 'state'>): boolean =>
  state === 'running' || state === 'paused';

/** Returns when the files of a completed export are deleted, ISO 8601; undefined for any other one. */
export const filesExpireAt = ({ state, finishedAt }: Pick<Export, 'state' | 'finishedAt'>): string | undefined =>
  state === 'completed' && finishedAt !== undefined
    ? new Date(Date.parse(finishedAt) + exportFilesHours * hourMs).toISOString()
    : undefined;

export const isTooOld = ({ transactionTime }: Pick<Export, 'transactionTime'>, nowMs: number): boolean =>
  nowMs > Date.parse(transactionTime) + exportDaysMax * 24 * hourMs;

/**
 * Returns how much of the pseudonyms has been walked through, in whole percent: they are spread evenly. An export that was
 * completed keeps 100 if its files are deleted by a cancellation: it has finished before that.
 */
export function percentOf({
  state,
  after,
  finishedAt,
  changed,
}: Pick<Export, 'state' | 'after' | 'finishedAt' | 'changed'>): number {
  const isCancelledLater = state === 'cancelled' && finishedAt !== undefined && changed && finishedAt < changed.at;
  if (state === 'completed' || state === 'expired' || isCancelledLater) return 100;
  return after === undefined ? 0 : Math.floor((Number.parseInt(after.slice(0, 4), 16) * 100) / 0x1_00_00);
}
