import type { Link } from '../api/client.ts';

/** What an insurer sent: any field may be there, of any kind. */
export type Sent = Readonly<Record<string, unknown>>;

/** A record that is no part of the answer, as it is too large: its text is behind a link, the contents of its documents behind others. */
export interface LinkedRecord extends Link {
  readonly id: string;
  readonly documents: readonly (Link & { readonly index: number })[];
}

interface Page {
  readonly careRecords: readonly Sent[];
}

/** An insurer's own field of that name is no link of ours. */
export const isLinked = (record: Sent): record is Sent & LinkedRecord => record['linked'] === true && isLink(record);

export const isLink = (value: unknown): value is Link => {
  const { href, sha256, sizeBytes } = objectOf(value);
  return typeof href === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
};

/** The records of all pages; one whose documents go on over several pages is one record with all of them. */
export function recordsOf(pages: readonly Page[]): readonly Sent[] {
  const records: Sent[] = [];
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
export function withDocuments(record: Sent, links: LinkedRecord['documents']): Sent {
  const documents = listOf(record['documents']).slice();
  for (const { index, ...contentBase64 } of links)
    if (documents[index]) documents[index] = { ...documents[index], contentBase64 };
  return documents.length === 0 ? record : { ...record, documents };
}

/** The link to the same text in newer pages: a link is good for minutes. */
export function linkTo(sha256: string, pages: readonly Page[]): Link | undefined {
  const links = recordsOf(pages).flatMap((record): readonly unknown[] =>
    isLinked(record)
      ? [record, ...record.documents]
      : listOf(record['documents']).map(({ contentBase64 }) => contentBase64),
  );
  return links.filter(isLink).find((link) => link.sha256 === sha256);
}

/** Whether a text is the one that a link was made for. @param sha256 hex, of its UTF-8 */
export async function isWhole(text: string, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

/** What a base64 text stands for; the text itself where it is none. */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new TextEncoder().encode(text);
  }
}

export const objectOf = (value: unknown): Sent =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Sent) : {};

export const listOf = (value: unknown): readonly Sent[] => (Array.isArray(value) ? value.map(objectOf) : []);
