import { type DynamoDBDocumentClient, GetCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { entryPartsPrefix } from './care-records.ts';

/** The parts of a list entry: items of CareRecords with the sort keys `entry/{revision}/{number}`. */
export interface EntryParts {
  /** the patient's revision with this entry */
  readonly revision: number;
  readonly count: number;
}

export type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** Size of a part. An item holds 400 KB, and an entry 1 MiB, so there are at most four. */
const partBytes = 300_000;
const partKey = (revision: number, number: number) => `${entryPartsPrefix}${revision}/${number}`;

/** Splits an entry that is too large for the patient's item. @returns what the item stores, and the writes of the parts */
export function splitEntry(careRecordsTable: string, patientRef: string, revision: number, body: string) {
  const bytes = Buffer.from(body, 'utf8');
  const count = Math.ceil(bytes.length / partBytes);
  const puts = Array.from({ length: count }, (_, number): TransactItem => {
    const part = bytes.subarray(number * partBytes, (number + 1) * partBytes);
    return { Put: { TableName: careRecordsTable, Item: { patientRef, sk: partKey(revision, number), part } } };
  });
  return { parts: { revision, count } satisfies EntryParts, puts };
}

/** Returns the deletions of all parts of an entry. */
export const deletionsOf = (
  careRecordsTable: string,
  patientRef: string,
  { revision, count }: EntryParts,
): TransactItem[] =>
  Array.from({ length: count }, (_, number) => ({
    Delete: { TableName: careRecordsTable, Key: { patientRef, sk: partKey(revision, number) } },
  }));

/** Reads an entry from its parts; undefined if they are gone. Then read the patient again. */
export async function readEntry(
  dynamo: DynamoDBDocumentClient,
  careRecordsTable: string,
  patientRef: string,
  { revision, count }: EntryParts,
): Promise<string | undefined> {
  const bytes: Uint8Array[] = [];
  for (let number = 0; number < count; number += 1) {
    const command = new GetCommand({
      TableName: careRecordsTable,
      Key: { patientRef, sk: partKey(revision, number) },
      ConsistentRead: true,
    });
    const part: unknown = (await dynamo.send(command)).Item?.['part'];
    if (!(part instanceof Uint8Array)) return undefined;
    bytes.push(part);
  }
  return Buffer.concat(bytes).toString('utf8');
}
