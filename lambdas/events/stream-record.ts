import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Fact, WrittenAt } from '../../core/domain/event.ts';
import { lineFacts, patientFacts, runFacts } from '../../core/domain/fact.ts';
import type { Gate } from '../../core/domain/gate.ts';
import type { PatientImage } from '../../core/domain/patient-change.ts';
import type { Progress } from '../../core/domain/progress.ts';

/** A write of an item of Patients, SyncRuns or Line, as the stream of its table reports it. */
export interface StreamRecord {
  readonly eventID: string;
  readonly dynamodb: {
    /** epoch second */
    readonly ApproximateCreationDateTime: number;
    readonly SequenceNumber: string;
    readonly Keys: Image;
    readonly OldImage?: Image | undefined;
    readonly NewImage?: Image | undefined;
  };
}
type Image = Record<string, AttributeValue>;

export const writtenAt = ({ eventID, dynamodb }: StreamRecord): WrittenAt => ({
  recordId: eventID,
  sequenceNumber: dynamodb.SequenceNumber,
  at: new Date(dynamodb.ApproximateCreationDateTime * 1_000).toISOString(),
});

/**
 * Returns what a write tells others. The keys name the table: only Patients has a shard, only SyncRuns a run. Other items
 * of SyncRuns have a longer insurerId, and tell nothing.
 */
export function factsOf(record: StreamRecord, insurerId: string): readonly Fact[] {
  const { Keys, OldImage, NewImage } = record.dynamodb;
  if (Keys['shard']) return patientFacts(OldImage as PatientImage, NewImage as PatientImage, writtenAt(record).at);
  if (Keys['insurerId']?.S !== insurerId) return [];
  const plain = (image: Image | undefined): unknown => image && unmarshall(image);
  if (Keys['runId'] === undefined) return lineFacts(plain(OldImage) as Gate, plain(NewImage) as Gate);
  const progressOf = (image: Image | undefined) => (plain(image) as { progress: Progress } | undefined)?.progress;
  return runFacts(progressOf(OldImage), progressOf(NewImage));
}
