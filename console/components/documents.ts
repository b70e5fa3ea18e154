import type { Link } from '../api/client.ts';

/** An object that the insurer sent: it may have any fields, of any type. */
export type InsurerData = Readonly<Record<string, unknown>>;

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
  record['linked'] === true && isLink(record);

export const isLink = (value: unknown): value is Link => {
  const { href, sha256, sizeBytes } = objectOf(value);
  return typeof href === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
};

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
  const documents = listOf(record['documents']).slice();
  for (const { index, ...contentBase64 } of links)
    if (documents[index]) documents[index] = { ...documents[index], contentBase64 };
  return documents.length === 0 ? record : { ...record, documents };
}

/** Returns the link to the same text in newer pages, because a link expires after minutes. */
export function findLink(sha256: string, pages: readonly RecordsPage[]): Link | undefined {
  const links = mergeRecords(pages).flatMap((record): readonly unknown[] =>
    isLinked(record)
      ? [record, ...record.documents]
      : listOf(record['documents']).map(({ contentBase64 }) => contentBase64),
  );
  return links.filter(isLink).find((link) => link.sha256 === sha256);
}

/** Tells whether the text has the hash of its link. @param sha256 of the UTF-8 text, in hex */
export async function matchesSha256(text: string, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

export const objectOf = (value: unknown): InsurerData =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as InsurerData) : {};

export const listOf = (value: unknown): readonly InsurerData[] => (Array.isArray(value) ? value.map(objectOf) : []);
