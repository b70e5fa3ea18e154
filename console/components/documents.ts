import type { Link } from '../api/client.ts';
import { type InsurerData, isObject, objectOf, takeObjects } from './insurer-data.ts';

/** A record that is too large for the answer: its text is behind a link, and the content of each document behind another. */
export interface LinkedRecord extends Link {
  readonly id: string;
  readonly documents: readonly (Link & { readonly index: number })[];
}

interface RecordsPage {
  readonly careRecords: readonly InsurerData[];
}

/** Checks the link's fields too, because the insurer may send a field that is named `linked`. */
export const isLinked = (record: InsurerData): record is InsurerData & LinkedRecord =>
  record['linked'] === true && isLink(record) && Array.isArray(record['documents']);

export const isLink = (value: unknown): value is Link => {
  const { href, sha256, sizeBytes } = objectOf(value);
  return typeof href === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
};

/** Whether there is something to download: a link, or a text that cannot be behind one because it is no UTF-8. */
export const hasContent = (contentBase64: unknown): contentBase64 is string | Link =>
  typeof contentBase64 === 'string' ? contentBase64 !== '' : isLink(contentBase64) && contentBase64.sizeBytes > 0;

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

/** Returns the record from behind a link, with a link as the content of each document: it has no contents itself. */
export function withDocumentLinks(record: InsurerData, links: LinkedRecord['documents']): InsurerData {
  const { documents: sent } = record;
  if (!Array.isArray(sent)) return record;
  const documents: unknown[] = sent.slice();
  for (const { index, ...contentBase64 } of links) {
    const document = documents[index];
    if (isObject(document)) documents[index] = { ...document, contentBase64 };
  }
  return { ...record, documents };
}

/** Returns the link to the same text in newer pages, because a link expires after minutes. */
export function findLink(sha256: string, pages: readonly RecordsPage[]): Link | undefined {
  const links = mergeRecords(pages).flatMap((record): readonly unknown[] =>
    isLinked(record)
      ? [record, ...record.documents]
      : takeObjects(record['documents']).objects.map(({ contentBase64 }) => contentBase64),
  );
  return links.filter(isLink).find((link) => link.sha256 === sha256);
}

/** Tells whether the text has the hash of its link. @param sha256 of the UTF-8 text, in hex */
export async function matchesSha256(text: string, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}
