import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient, paginateQuery } from '@aws-sdk/lib-dynamodb';
import { type Bucket, listKeys } from './objects.ts';
import { storesOver } from './open-stores.ts';
import { defaultTables } from './tables.ts';

export class Crash extends Error {
  override readonly name = 'Crash';
}

/**
 * Opens all stores over the emulator at AWS_ENDPOINT_URL. `crashAt(n)` makes the n-th call to AWS from now on fail: it
 * is never sent, or (`answer lost`) it is executed but its answer is lost. All later calls fail, too.
 */
export function openEmulatedStores() {
  const client = new DynamoDBClient({});
  const s3 = new S3Client({});
  const crash = { at: Number.POSITIVE_INFINITY, answerLost: false, calls: 0 };
  const stacks = [client.middlewareStack, s3.middlewareStack] as { add(middleware: unknown, place: object): void }[];
  for (const stack of stacks) {
    stack.add(
      (next: (args: unknown) => Promise<unknown>) => async (args: unknown) => {
        crash.calls += 1;
        if (crash.calls > crash.at || (crash.calls === crash.at && !crash.answerLost)) throw new Crash();
        const answer = await next(args);
        if (crash.calls >= crash.at) throw new Crash();
        return answer;
      },
      { step: 'initialize', priority: 'high' },
    );
  }
  const dynamo = DynamoDBDocumentClient.from(client);
  const bucket: Bucket = { s3, name: process.env['BUCKET_NAME'] ?? '' };
  const anchorBucket: Bucket = { s3, name: process.env['ANCHOR_BUCKET_NAME'] ?? '' };
  return {
    ...storesOver({ dynamo, bucket, anchorBucket, gateClient: client, tables: defaultTables }),
    dynamo,
    crashAt(call: number, kind: 'never sent' | 'answer lost'): void {
      Object.assign(crash, { at: call, answerLost: kind === 'answer lost', calls: 0 });
    },
    recover(): void {
      crash.at = Number.POSITIVE_INFINITY;
    },
    async overwrite(key: string, body: Uint8Array): Promise<void> {
      await s3.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: body }));
    },
    async keysUnder(prefix: string): Promise<string[]> {
      return await Array.fromAsync(listKeys(bucket, prefix));
    },
    /** the sort keys of all items of a patient in CareRecords */
    async careRecordKeys(patientRef: string): Promise<string[]> {
      const keys: string[] = [];
      const query = {
        TableName: defaultTables.careRecords,
        KeyConditionExpression: 'patientRef = :p',
        ExpressionAttributeValues: { ':p': patientRef },
      };
      for await (const { Items } of paginateQuery({ client: dynamo }, query)) {
        for (const item of Items ?? []) keys.push(item['sk']);
      }
      return keys;
    },
  };
}

/** Returns a random patientRef, in the given shard if there is one. */
export const newPatientRef = (shard = ''): string => shard + randomBytes(16).toString('hex').slice(shard.length);
