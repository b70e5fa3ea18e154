import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { z } from 'zod';
import type { Fact, WrittenAt } from '../../core/domain/event.ts';
import { lineFacts, patientFacts, runFacts } from '../../core/domain/fact.ts';
import type { Gate } from '../../core/domain/gate.ts';
import type { Progress } from '../../core/domain/progress.ts';

/** Attributes by name, each with its type: a text as `{S}` (DynamoDB API reference, AttributeValue). */
const image = z.record(z.string(), z.looseObject({ S: z.string().optional() }));
type Image = z.infer<typeof image>;

/** A write of an item of Patients, SyncRuns or Line, as the stream of its table reports it. */
const streamRecord = z.object({
  eventID: z.string().min(1), // unique among all writes
  dynamodb: z.object({
    ApproximateCreationDateTime: z.number().positive(), // epoch second
    SequenceNumber: z.string().min(1),
    Keys: image,
    OldImage: image.optional(),
    NewImage: image.optional(),
  }),
});
export type StreamRecord = z.infer<typeof streamRecord>;

/** What Lambda passes to the reader of a stream. */
const streamEvent = z.object({ Records: z.array(streamRecord) });

/**
 * Reads what Lambda passes to the reader of a stream.
 * @throws ZodError if a field is missing, without contents. Without its ID, a change would count as one that came before
 */
export const recordsOf = (event: unknown): readonly StreamRecord[] => streamEvent.parse(event).Records;

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
  if (Keys['shard']) return patientFacts(OldImage, NewImage, writtenAt(record).at);
  if (Keys['insurerId']?.S !== insurerId) return [];
  const plain = (item: Image | undefined): unknown => item && unmarshall(item as Record<string, AttributeValue>);
  if (Keys['runId'] === undefined) return lineFacts(plain(OldImage) as Gate, plain(NewImage) as Gate);
  const progressOf = (item: Image | undefined) => (plain(item) as { progress: Progress } | undefined)?.progress;
  return runFacts(progressOf(OldImage), progressOf(NewImage));
}
