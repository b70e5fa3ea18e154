import type { Link } from '../api/client.ts';

/** What an insurer sent: any field may be there, of any kind. */
export type InsurerData = Readonly<Record<string, unknown>>;

/** A record that is no part of the answer, as it is too large: its text is behind a link, the contents of its documents behind others. */
export interface LinkedRecord extends Link {
  readonly id: string;
  readonly documents: readonly (Link & { readonly index: number })[];
}

interface RecordsPage {
  readonly careRecords: readonly InsurerData[];
}

/** An insurer's own field of that name is no link of ours. */
export const isLinked = (record: InsurerData): record is InsurerData & LinkedRecord =>
  record['linked'] === true && isLink(record);

export const isLink = (value: unknown): value is Link => {
  const { href, sha256, sizeBytes } = objectOf(value);
  return typeof href === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
};

/** The records of all pages; one whose documents go on over several pages is one record with all of them. */
export function mergeRecords(pages: readonly RecordsPage[]): readonly InsurerData[] {
  const records: InsurerData[] = [];
  for (const { careRecords } of pages)
    for (const [at, record] of careRecords.entries()) {
      const last = records.at(-1);
      const goesOn =
        at === 0 && last !== undefined && isLinked(record) && isLinked(last) && last.sha256 === record.sha256;
      if (goesOn) records[records.length - 1] = { ...record, documents: [...last.documents, ...record.documents] };
      else records.push(record);
    }
  return records;
}

/** A record as it was behind its link, with links to the contents of its documents, whose places there are empty. */
export function withDocumentLinks(record: InsurerData, links: LinkedRecord['documents']): InsurerData {
  const documents = listOf(record['documents']).slice();
  for (const { index, ...contentBase64 } of links)
    if (documents[index]) documents[index] = { ...documents[index], contentBase64 };
  return documents.length === 0 ? record : { ...record, documents };
}

/** The link to the same text in newer pages: a link is good for minutes. */
export function findLink(sha256: string, pages: readonly RecordsPage[]): Link | undefined {
  const links = mergeRecords(pages).flatMap((record): readonly unknown[] =>
    isLinked(record)
      ? [record, ...record.documents]
      : listOf(record['documents']).map(({ contentBase64 }) => contentBase64),
  );
  return links.filter(isLink).find((link) => link.sha256 === sha256);
}

/** Whether a text is the one that a link was made for. @param sha256 hex, of its UTF-8 */
export async function matchesSha256(text: string, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

/** What a base64 text stands for; the text itself where it is none. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new TextEncoder().encode(text);
  }
}

export const objectOf = (value: unknown): InsurerData =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as InsurerData) : {};

export const listOf = (value: unknown): readonly InsurerData[] => (Array.isArray(value) ? value.map(objectOf) : []);
