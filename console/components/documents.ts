import { answeredDocument, type DocumentContent } from '../../core/contract/document-content.ts';
import type { Link } from '../api/client.ts';
import { type InsurerData, isObject, objectOf, takeObjects } from './insurer-data.ts';

/** A record that is too large for the answer: its text is behind a link, and the content of each document behind another. */
export interface LinkedRecord extends Link {
  readonly id: string;
  readonly documents: readonly (Link & DocumentContent & { readonly index: number })[];
}

interface RecordsPage {
  readonly careRecords: readonly InsurerData[];
}

/** Checks the link's fields too, because the insurer may send a field that is named `linked`. */
export const isLinked = (record: InsurerData): record is InsurerData & LinkedRecord =>
  record['linked'] === true && isLink(record) && Array.isArray(record['documents']);

export const isLink = (value: unknown): value is Link & DocumentContent => {
  const { href, sha256, sizeBytes } = objectOf(value);
  return typeof href === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
};

/** Returns what can be downloaded: a link, or a text that cannot be behind one because it is no UTF-8. Undefined if nothing. */
export function contentOf({ content, contentBase64 }: InsurerData): (Link & DocumentContent) | string | undefined {
  if (isLink(content)) return content.sizeBytes > 0 ? content : undefined;
  return typeof contentBase64 === 'string' && contentBase64 !== '' ? contentBase64 : undefined;
}

/** Returns the records of all pages. Merges a record whose documents are spread over several pages. */
export function mergeRecords(pages: readonly RecordsPage[]): readonly InsurerData[] {
  const records: InsurerData[] = [];
  for (const { careRecords } of pages)
    for (const [at, record] of careRecords.entries()) {
      const last = records.at(-1);
      const isContinued =
        at === 0 && last !== undefined && isLinked(record) && isLinked(last) && last.sha256 === record.sha256;
      if (isContinued) records[records.length - 1] = { ...record, documents: [...last.documents, ...record.documents] };
      else records.push(record);
    }
  return records;
}

/** Returns the record from behind a link as an answer has it: with a link as the content of each document. */
export function withDocumentLinks(record: InsurerData, links: LinkedRecord['documents']): InsurerData {
  const { documents: sent } = record;
  if (!Array.isArray(sent)) return record;
  const contents = new Map(links.map(({ index, ...content }) => [index, content]));
  const documents = sent.map((document: unknown, index) =>
    isObject(document) ? answeredDocument(document, contents.get(index)) : document,
  );
  return { ...record, documents };
}

/** Returns the link to the same text in newer pages, because a link expires after minutes. */
export function findLink(sha256: string, pages: readonly RecordsPage[]): Link | undefined {
  const links = mergeRecords(pages).flatMap((record): readonly unknown[] =>
    isLinked(record)
      ? [record, ...record.documents]
      : takeObjects(record['documents']).objects.map(({ content }) => content),
  );
  return links.filter(isLink).find((link) => link.sha256 === sha256);
}

/** Tells whether bytes have the hash of their link. @param sha256 in hex */
export async function matchesSha256(bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}
