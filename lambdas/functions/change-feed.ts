import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { readConfig } from '../../core/config.ts';
import { recordedChangesOf } from '../../core/domain/patient-change.ts';
import { createChangesStore } from '../../core/stores/changes.ts';
import { promptly } from '../../core/stores/open-stores.ts';
import { tablesOf } from '../../core/stores/tables.ts';
import { recordsOf, writtenAt } from '../events/stream-record.ts';
import { logger } from '../observability.ts';

const settings = z.object({ AWS_REGION: z.string().min(1), DEPLOYMENT: z.string().min(1) });
const { AWS_REGION: region, DEPLOYMENT: deployment } = readConfig(settings, process.env);
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ region, ...promptly }), {
  marshallOptions: { removeUndefinedValues: true },
});
const changes = createChangesStore(dynamo, tablesOf(deployment));

/**
 * Records what the stream of Patients means to others, as one batch. Throws on failure, so that Lambda repeats the batch.
 * Lambda calls it for the records of one patient in their order, one call after another.
 */
export async function handler(event: unknown): Promise<void> {
  const recorded = recordsOf(event).flatMap((record) =>
    recordedChangesOf(record.dynamodb.OldImage, record.dynamodb.NewImage, writtenAt(record)),
  );
  if (recorded.length === 0) return;
  await changes.append(recorded);
  logger.info('changes recorded', { changes: recorded.length });
}
