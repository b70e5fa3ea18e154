import { type DynamoDBDocumentClient, GetCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { PayloadReference } from '../contract/payload-reference.ts';
import { idInKey } from '../domain/care-record.ts';
import { decodeContent } from '../domain/document-content.ts';
import { sha1Of } from '../domain/document-file.ts';
import type { SplitAnswer, SplitDocument } from '../domain/split-answer.ts';
import { batchWrite, type WriteRequest } from './batch-write.ts';
import type { DocumentsStore } from './documents.ts';
import { PayloadError } from './objects.ts';
import { forEachParallel } from './parallel.ts';
import type { Tables } from './tables.ts';
import type { WriteGuard } from './write-guard.ts';

/** A larger body is stored in the bucket, because a DynamoDB item holds 400 KB at most. */
const bodyInItemBytes = 300_000;
const objectsAtOnce = 8;

/** A document of a stored record. */
export interface DocumentReference {
  /** its position among the record's documents, from 0 */
  readonly index: number;
  /** the file; without `fileSha1`, contentBase64 as the insurer sent it: it is no base64, or an earlier version has stored it */
  readonly content: PayloadReference;
  /** base64 of the file's SHA-1, which FHIR has in an attachment (R4, Attachment.hash) */
  readonly fileSha1?: string;
  /** contentBase64 as the insurer sent it; absent if it is the base64 of the file */
  readonly sent?: PayloadReference;
}

export interface StoredCareRecord {
  readonly recordId: string;
  /** JSON text with every field that the insurer sent; contentBase64 is empty where `documents` holds it */
  readonly body: string;
  /** the object that holds the body, if it is large */
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
 * The table CareRecords and its objects (docs/explanation/architecture.md, "Tables"): versions of a patient's care
 * records. A version is immutable. The patient item names the current version. A version that is being deleted reads as
 * missing.
 */
export interface CareRecordsStore {
  /**
   * Writes a whole version. Idempotent. Readers do not see it until the patient's careVersion names it. A version with
   * thousands of documents takes minutes; the write guard can stop it between two documents.
   */
  stage(patientRef: string, careVersion: string, answer: SplitAnswer, writeGuard?: WriteGuard): Promise<void>;
  /** Returns all records of a version; undefined if the version is incomplete. Then read the patient's careVersion again. */
  read(patientRef: string, careVersion: string): Promise<CareRecordsPage | undefined>;
  /**
   * Returns some records of a version, from a position on; undefined as for `read`. Reads all items of the version, which costs
   * as much as to find its order.
   * @param most how many records, and how many bytes of their bodies; one record is always returned
   */
  readPage(
    patientRef: string,
    careVersion: string,
    from: number,
    most: { readonly records: number; readonly bytes: number },
  ): Promise<CareRecordsPage | undefined>;
  /** Returns SplitAnswer.envelope: the insurer's answer without its records; undefined as for `read`. */
  readEnvelope(patientRef: string, careVersion: string): Promise<string | undefined>;
  /** Returns contentBase64 of a record's documents, as sent. @throws PayloadError `missing` if the version has been deleted since */
  readDocuments(record: StoredCareRecord): Promise<Required<Omit<SplitDocument, 'file'>>[]>;
  /**
   * Returns a document's file, also if an earlier version stored it as text. Undefined if that is no base64.
   * @throws PayloadError `missing` if the version has been deleted since
   */
  readFile(document: DocumentReference): Promise<Uint8Array | undefined>;
  deleteVersion(patientRef: string, careVersion: string): Promise<void>;
  deleteOlderThan(patientRef: string, careVersion: string): Promise<void>;
  /** Lists all versions and all objects of a patient, including large master data. */
  listAll(patientRef: string): Promise<StoredKeys>;
  /** Deletes what `listAll` has listed, and nothing that was stored later. */
  deleteListed(patientRef: string, listed: StoredKeys, writeGuard?: WriteGuard): Promise<void>;
}

/** The keys of everything that is stored for a patient in the table and the bucket. */
export interface StoredKeys {
  readonly items: readonly string[];
  readonly objects: readonly string[];
  /** the newest version among them; undefined if there is none */
  readonly newestVersion?: string;
}

/** Returns the sort key of a version's envelope. It sorts before the records, because no record has an empty id. */
const envelopeKey = (careVersion: string) => `${careVersion}#`;
const recordKey = (careVersion: string, recordId: string) => `${careVersion}#${idInKey(recordId)}`;
const recordIdOf = (sk: string): string => JSON.parse(`"${sk.slice(sk.indexOf('#') + 1)}"`);

/** Every version begins with a digit, and `:` follows 9 in ASCII. */
const allVersions = ['0', ':'] as const;
/** The parts of a list entry (entry-parts.ts) sort after all versions, and `0` follows `/`. */
export const entryPartsPrefix = 'entry/';
const allEntryParts = [entryPartsPrefix, 'entry0'] as const;

interface Item {
  readonly patientRef: string;
  readonly sk: string;
  /** of a record: its position in the insurer's order, from 0 */
  readonly position?: number;
  /** of the envelope: the number of records in the version */
  readonly total?: number;
  readonly body?: string;
  /** replaces body and documents if they are large */
  readonly bodyRef?: PayloadReference;
  readonly documents?: readonly DocumentReference[];
  readonly documentsRef?: PayloadReference;
}

const recordParts = ['patientRef', 'sk', 'body', 'bodyRef', 'documents', 'documentsRef'] as const;

export function createCareRecordsStore(
  dynamo: DynamoDBDocumentClient,
  objects: DocumentsStore,
  { careRecords: careRecordsTable }: Pick<Tables, 'careRecords'>,
): CareRecordsStore {
  /**
   * Returns the attributes that hold a body and its documents. If they do not fit into the item, they are stored in the
   * bucket.
   */
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

  const placeDocument = async (
    patientRef: string,
    careVersion: string,
    { index, file, sent }: SplitDocument,
  ): Promise<DocumentReference> => {
    if (file === undefined) return { index, content: await objects.put(patientRef, careVersion, sent ?? '') };
    return {
      index,
      content: await objects.putFile(patientRef, careVersion, file),
      fileSha1: sha1Of(file.bytes),
      ...(sent !== undefined && { sent: await objects.put(patientRef, careVersion, sent) }),
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

  /** Returns the items whose sk is between two bounds, both included, ordered by sk. */
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

  /** Returns the bounds of a version's items. `$` is the character after `#`. */
  const wholeVersion = (careVersion: string) => [envelopeKey(careVersion), `${careVersion}$`] as const;

  /** Returns the items of a version in the insurer's order; undefined if some are missing. */
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

  /** Deletes items in no order. As soon as one is gone, the version's total shows that it is incomplete. */
  const deleteItems = async (patientRef: string, bounds: readonly [string, string]): Promise<void> => {
    const requests: WriteRequest[] = [];
    for await (const { sk } of query(patientRef, bounds, ['sk'])) {
      requests.push({ DeleteRequest: { Key: { patientRef, sk } } });
    }
    await batchWrite(dynamo, careRecordsTable, requests);
  };

  return {
    async stage(patientRef, careVersion, { envelope, records }, writeGuard) {
      const items: Item[] = [];
      const contents = records.flatMap(({ documents }, position) =>
        documents.map((document) => ({ position, document })),
      );
      const references: DocumentReference[][] = records.map(() => []);
      await forEachParallel(contents, objectsAtOnce, async ({ position, document }) => {
        writeGuard?.check();
        references[position]?.push(await placeDocument(patientRef, careVersion, document));
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
      const items = await itemsOf(patientRef, careVersion, recordParts);
      const records = items && (await recordsOf(items));
      return records && { records, total: records.length };
    },

    async readPage(patientRef, careVersion, from, most) {
      let total: number | undefined;
      let count = 0;
      const window: Item[] = [];
      for await (const item of query(patientRef, wholeVersion(careVersion), ['total', 'position', ...recordParts])) {
        if (item.total !== undefined) total = item.total;
        else {
          count += 1;
          const place = (item.position ?? 0) - from;
          if (place >= 0 && place < most.records) window[place] = item;
        }
      }
      if (count !== total) return undefined;
      let bytes = 0;
      const items = window.filter(({ body = '', bodyRef }, place) => {
        bytes += bodyRef?.sizeBytes ?? Buffer.byteLength(body);
        return place === 0 || bytes <= most.bytes;
      });
      const records = await recordsOf(items);
      return records && { records, total };
    },

    async readEnvelope(patientRef, careVersion) {
      const item = await getItem(patientRef, envelopeKey(careVersion));
      const [envelope] = (item && (await recordsOf([item]))) ?? [];
      return envelope?.body;
    },

    async readDocuments({ documents }) {
      const texts: Required<Omit<SplitDocument, 'file'>>[] = [];
      await forEachParallel(documents.entries(), objectsAtOnce, async ([place, { index, content, fileSha1, sent }]) => {
        const text = sent ?? (fileSha1 === undefined ? content : undefined);
        const encoded = async () => Buffer.from(await objects.getFile(content)).toString('base64');
        texts[place] = { index, sent: text ? await objects.get(text) : await encoded() };
      });
      return texts;
    },

    readFile: async ({ content, fileSha1 }) =>
      fileSha1 === undefined ? decodeContent(await objects.get(content)) : await objects.getFile(content),

    async deleteVersion(patientRef, careVersion) {
      await deleteItems(patientRef, wholeVersion(careVersion));
      await objects.deleteVersion(patientRef, careVersion);
    },

    async deleteOlderThan(patientRef, careVersion) {
      await deleteItems(patientRef, ['0', careVersion]); // its own items sort after this bound: `{careVersion}#`
      await objects.deleteOlderThan(patientRef, careVersion);
    },

    async listAll(patientRef) {
      const items: string[] = [];
      for await (const { sk } of query(patientRef, allVersions, ['sk'])) items.push(sk);
      const versionsOfItems = items.map((sk) => sk.slice(0, sk.indexOf('#')));
      for await (const { sk } of query(patientRef, allEntryParts, ['sk'])) items.push(sk);
      const objectKeys = await objects.listAll(patientRef);
      const versions = [
        ...versionsOfItems,
        ...objectKeys.map((key) => key.split('/')[2] ?? '').filter((place) => /^\d/.test(place)),
      ];
      const newestVersion = versions.sort().at(-1);
      return { items, objects: objectKeys, ...(newestVersion !== undefined && { newestVersion }) };
    },

    async deleteListed(patientRef, listed, writeGuard) {
      const requests = listed.items.map((sk) => ({ DeleteRequest: { Key: { patientRef, sk } } }));
      await batchWrite(dynamo, careRecordsTable, requests, writeGuard);
      writeGuard?.check();
      await objects.deleteKeys(listed.objects);
    },
  };
}
