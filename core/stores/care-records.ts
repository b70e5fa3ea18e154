import { type DynamoDBDocumentClient, GetCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { PayloadReference } from '../contract/payload-reference.ts';
import type { SplitAnswer, SplitDocument } from '../domain/split-answer.ts';
import { batchWrite, type WriteRequest } from './batch-write.ts';
import type { DocumentsStore } from './documents.ts';
import { PayloadError } from './objects.ts';
import { forEachParallel } from './parallel.ts';
import type { WriteGuard } from './write-guard.ts';

export const careRecordsTable = 'CareRecords';

/** What is larger lies in the bucket: an item of DynamoDB holds 400 KB in all. */
const bodyInItemBytes = 300_000;
const objectsAtOnce = 8;

/** A document of a stored record; its object holds contentBase64 as the insurer sent it. */
export interface DocumentReference {
  /** its place among the record's documents, from 0 */
  readonly index: number;
  readonly content: PayloadReference;
}

export interface StoredCareRecord {
  readonly recordId: string;
  /** JSON text, every field the insurer sent; contentBase64 is empty where `documents` has it */
  readonly body: string;
  /** the object that holds the body, when it is large */
  readonly bodyRef?: PayloadReference;
  readonly documents: readonly DocumentReference[];
}

export interface CareRecordsPage {
  /** in the insurer's order */
  readonly records: readonly StoredCareRecord[];
  /** of the whole version */
  readonly total: number;
}

/**
 * The table CareRecords and the objects that belong to it (docs/explanation/architecture.md, "Tables"): versions of a patient's care records. A
 * version is immutable; which one is current, the patient says. One that is being deleted reads as not there.
 */
export interface CareRecordsStore {
  /**
   * Writes a version whole. Repeatable; nobody reads it until the patient's careVersion says so. A version of thousands
   * of documents takes minutes: the write guard ends it between two of them.
   */
  stage(patientRef: string, careVersion: string, parts: SplitAnswer, writeGuard?: WriteGuard): Promise<void>;
  /** All records of a version; undefined when it is not, or no longer, there whole: read the patient's careVersion anew. */
  read(patientRef: string, careVersion: string): Promise<CareRecordsPage | undefined>;
  /** Some records of a version, from a position on; undefined as with read. @param limit at most 100 */
  readPage(patientRef: string, careVersion: string, from: number, limit: number): Promise<CareRecordsPage | undefined>;
  /** What surrounds the records in the insurer's answer: AnswerParts.envelope; undefined as with read. */
  readEnvelope(patientRef: string, careVersion: string): Promise<string | undefined>;
  /** The text of a record's documents. @throws PayloadError `missing` when the version was deleted meanwhile */
  readDocuments(record: StoredCareRecord): Promise<SplitDocument[]>;
  deleteVersion(patientRef: string, careVersion: string): Promise<void>;
  deleteOlderThan(patientRef: string, careVersion: string): Promise<void>;
  /** Deletes all versions and all objects of a patient, large master data too. */
  deleteAll(patientRef: string, writeGuard?: WriteGuard): Promise<void>;
}

/** Where a version's records end: `sk` of the envelope. No record has an empty id, so it comes before them. */
const envelopeKey = (careVersion: string) => `${careVersion}#`;
/** An id may hold whatever a text can, also what DynamoDB cannot: it is written as within JSON, plain ones as they are. */
const recordKey = (careVersion: string, recordId: string) => `${careVersion}#${JSON.stringify(recordId).slice(1, -1)}`;
const recordIdOf = (sk: string): string => JSON.parse(`"${sk.slice(sk.indexOf('#') + 1)}"`);

interface Item {
  readonly patientRef: string;
  readonly sk: string;
  /** of a record: its place in the insurer's order, from 0 */
  readonly position?: number;
  /** of the envelope: how many records the version has */
  readonly total?: number;
  readonly body?: string;
  /** in place of body and documents, when they are large */
  readonly bodyRef?: PayloadReference;
  readonly documents?: readonly DocumentReference[];
  readonly documentsRef?: PayloadReference;
}

export function createCareRecordsStore(dynamo: DynamoDBDocumentClient, objects: DocumentsStore): CareRecordsStore {
  /** The attributes that hold a body and its documents, in the item when they fit. */
  const place = async (
    patientRef: string,
    careVersion: string,
    body: string,
    documents: readonly DocumentReference[],
  ) => {
    const documentsText = JSON.stringify(documents);
    if (Buffer.byteLength(body) + Buffer.byteLength(documentsText) <= bodyInItemBytes) return { body, documents };
    return {
      bodyRef: await objects.put(patientRef, careVersion, body),
      documentsRef: await objects.put(patientRef, careVersion, documentsText),
    };
  };

  const bodyOf = async ({ body, bodyRef }: Item): Promise<string> =>
    bodyRef ? await objects.get(bodyRef) : (body ?? '');

  const recordOf = async (item: Item): Promise<StoredCareRecord> => ({
    recordId: recordIdOf(item.sk),
    body: await bodyOf(item),
    ...(item.bodyRef && { bodyRef: item.bodyRef }),
    documents: item.documentsRef ? JSON.parse(await objects.get(item.documentsRef)) : (item.documents ?? []),
  });

  /** Items whose sk lies within two bounds, both included, ordered by sk. */
  async function* query<Part extends keyof Item>(
    patientRef: string,
    [first, last]: readonly [string, string],
    parts: readonly Part[],
  ): AsyncGenerator<Pick<Item, Part>> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: careRecordsTable,
        ConsistentRead: true,
        KeyConditionExpression: 'patientRef = :patientRef AND sk BETWEEN :first AND :last',
        ProjectionExpression: parts.map((part) => `#${part}`).join(', '),
        ExpressionAttributeNames: Object.fromEntries(parts.map((part) => [`#${part}`, part])),
        ExpressionAttributeValues: { ':patientRef': patientRef, ':first': first, ':last': last },
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []) as Pick<Item, Part>[];
  }

  /** `$` is the character after `#`. */
  const wholeVersion = (careVersion: string) => [envelopeKey(careVersion), `${careVersion}$`] as const;

  /** The items of a version in the insurer's order; undefined when they are not all there. */
  const itemsOf = async <Part extends keyof Item>(patientRef: string, careVersion: string, parts: readonly Part[]) => {
    let total: number | undefined;
    const items: Pick<Item, Part | 'position'>[] = [];
    for await (const item of query(patientRef, wholeVersion(careVersion), ['total', 'position', ...parts])) {
      if (item.total === undefined) items.push(item);
      else total = item.total;
    }
    if (items.length !== total) return undefined;
    return items.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  };

  const recordsOf = async (items: readonly Item[]): Promise<StoredCareRecord[] | undefined> => {
    const records: StoredCareRecord[] = [];
    try {
      await forEachParallel(items.entries(), objectsAtOnce, async ([index, item]) => {
        records[index] = await recordOf(item);
      });
    } catch (error) {
      if (error instanceof PayloadError && error.fault === 'missing') return undefined;
      throw error;
    }
    return records;
  };

  const getItem = async (patientRef: string, sk: string): Promise<Item | undefined> => {
    const command = new GetCommand({ TableName: careRecordsTable, Key: { patientRef, sk }, ConsistentRead: true });
    return (await dynamo.send(command)).Item as Item | undefined;
  };

  /** In no order: as soon as one item is gone, the version's total tells. */
  const deleteItems = async (
    patientRef: string,
    bounds: readonly [string, string],
    writeGuard?: WriteGuard,
  ): Promise<void> => {
    const requests: WriteRequest[] = [];
    for await (const { sk } of query(patientRef, bounds, ['sk'])) {
      requests.push({ DeleteRequest: { Key: { patientRef, sk } } });
    }
    await batchWrite(dynamo, careRecordsTable, requests, writeGuard);
  };

  return {
    async stage(patientRef, careVersion, { envelope, records }, writeGuard) {
      const items: Item[] = [];
      const contents = records.flatMap(({ documents }, position) =>
        documents.map((document) => ({ position, document })),
      );
      const references: DocumentReference[][] = records.map(() => []);
      await forEachParallel(contents, objectsAtOnce, async ({ position, document: { index, contentBase64 } }) => {
        writeGuard?.check();
        const content = await objects.put(patientRef, careVersion, contentBase64);
        references[position]?.push({ index, content });
      });
      await forEachParallel(records.entries(), objectsAtOnce, async ([position, { recordId, body }]) => {
        writeGuard?.check();
        const documents = (references[position] ?? []).sort((a, b) => a.index - b.index);
        const placed = await place(patientRef, careVersion, body, documents);
        items.push({ patientRef, sk: recordKey(careVersion, recordId), position, ...placed });
      });
      const placed = await place(patientRef, careVersion, envelope, []);
      items.push({ patientRef, sk: envelopeKey(careVersion), total: records.length, ...placed });
      const requests = items.map((Item) => ({ PutRequest: { Item: { ...Item } } }));
      await batchWrite(dynamo, careRecordsTable, requests, writeGuard);
    },

    async read(patientRef, careVersion) {
      const parts = ['patientRef', 'sk', 'body', 'bodyRef', 'documents', 'documentsRef'] as const;
      const items = await itemsOf(patientRef, careVersion, parts);
      const records = items && (await recordsOf(items));
      return records && { records, total: records.length };
    },

    async readPage(patientRef, careVersion, from, limit) {
      const index = await itemsOf(patientRef, careVersion, ['sk']);
      if (index === undefined) return undefined;
      const items: Item[] = [];
      await forEachParallel(index.slice(from, from + limit).entries(), objectsAtOnce, async ([place, { sk }]) => {
        const item = await getItem(patientRef, sk);
        if (item !== undefined) items[place] = item;
      });
      if (Object.keys(items).length !== index.slice(from, from + limit).length) return undefined;
      const records = await recordsOf(items);
      return records && { records, total: index.length };
    },

    async readEnvelope(patientRef, careVersion) {
      const item = await getItem(patientRef, envelopeKey(careVersion));
      const [envelope] = (item && (await recordsOf([item]))) ?? [];
      return envelope?.body;
    },

    async readDocuments({ documents }) {
      const taken: SplitDocument[] = [];
      await forEachParallel(documents.entries(), objectsAtOnce, async ([place, { index, content }]) => {
        taken[place] = { index, contentBase64: await objects.get(content) };
      });
      return taken;
    },

    async deleteVersion(patientRef, careVersion) {
      await deleteItems(patientRef, wholeVersion(careVersion));
      await objects.deleteVersion(patientRef, careVersion);
    },

    async deleteOlderThan(patientRef, careVersion) {
      await deleteItems(patientRef, ['0', careVersion]); // its own items come after it: `{careVersion}#`
      await objects.deleteOlderThan(patientRef, careVersion);
    },

    async deleteAll(patientRef, writeGuard) {
      await deleteItems(patientRef, ['0', ':'], writeGuard); // every version begins with a digit, and `:` is the character after 9
      writeGuard?.check();
      await objects.deleteAll(patientRef);
    },
  };
}
