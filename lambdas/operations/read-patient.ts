import type { StoredPatient } from '../../core/domain/patient.ts';
import { parseLossless, printLossless } from '../../core/json/lossless.ts';
import type { StoredCareRecord } from '../../core/stores/care-records.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { encryptDocumentLink } from '../http/document-link.ts';
import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';
import { Problem } from '../http/problems.ts';

/** A Lambda answers 6 MB at most, counted as the JSON string that its answer becomes; a margin for the rest of it. */
const answerMaxBytes = 5_000_000;
const recordsAtOnce = 50;
/** A link has its token of some hundred bytes, a SHA-256 of 64, and the reader's name. */
const linkBytesMin = 400;
const linkBytesMax = 4_000;
/** How often a patient is read anew when its care records are swapped just then. */
const readsMax = 5;

/** Where a page begins: a record of a version; and for one that is linked, one of its documents. */
interface Position {
  readonly careVersion: string;
  readonly record: number;
  readonly document: number;
}

/** Links a document or a record's text for this reader: `{href, sizeBytes, sha256}`. */
type LinkTo = (content: StoredCareRecord['documents'][number]['content']) => Promise<object>;

/**
 * A patient and a page of their care records, each as the insurer sent it, bit by bit. Put together as text, because a
 * parser would change numbers.
 */
export const readPatient: Handler<'readPatient'> = async (call, { stores, tokenCipher }) => {
  const { patientRef, query, actor: reader, apiUrl } = call;
  const pages = pageTokens<Position>(tokenCipher, `care records of ${patientRef}`);
  const position = await pages.positionOf(query.nextToken);
  const linkTo: LinkTo = async (content) => {
    const token = await encryptDocumentLink(tokenCipher, { patientRef, content, reader });
    const { sizeBytes, sha256 } = content;
    return { href: `${apiUrl}/documents/${token}`, sizeBytes, sha256 };
  };
  for (let read = 0; read < readsMax; read++) {
    const patient = await stores.patients.get(patientRef);
    if (patient === undefined) throw new Problem('patient-unknown');
    if (position !== undefined && position.careVersion !== patient.careVersion)
      throw new Problem('care-records-changed');
    const page = await recordsPage(stores.careRecords, patient, position, linkTo);
    if (page === undefined) continue; // the next version has taken its place
    const parts = [`"patient": ${patient.body}`, `"careRecords": [${page.texts.join(',\n')}]`];
    if (patient.lastSync) parts.push(`"lastSync": ${JSON.stringify(patient.lastSync)}`);
    const { nextToken } = await pages.nextToken(page.next);
    if (nextToken !== undefined) parts.push(`"nextToken": ${JSON.stringify(nextToken)}`);
    return { text: `{${parts.join(',\n')}}` };
  }
  throw new Problem('storage-unavailable', { detail: 'The care records change faster than they can be read.' });
};

interface RecordsPage {
  readonly texts: readonly string[];
  readonly next?: Position;
}

/** As many records as an answer has room for; undefined when the version has gone. */
async function recordsPage(
  careRecords: Stores['careRecords'],
  { patientRef, careVersion, body }: StoredPatient,
  position: Position | undefined,
  linkTo: LinkTo,
): Promise<RecordsPage | undefined> {
  if (careVersion === undefined) return { texts: [] };
  const room = answerMaxBytes - sizeInAnswer(body);
  const texts: string[] = [];
  let used = 0;
  for (let at = position?.record ?? 0, total = at + 1; at < total; ) {
    const page = await careRecords.readPage(patientRef, careVersion, at, recordsAtOnce);
    if (page === undefined) return undefined;
    total = page.total;
    for (const record of page.records) {
      const text = await recordText(record, room, linkTo);
      used += text === undefined ? room : sizeInAnswer(text);
      if (used > room && texts.length > 0) return { texts, next: { careVersion, record: at, document: 0 } };
      if (text === undefined) {
        const { linked, nextDocument } = await linkedText(
          record,
          position?.record === at ? position.document : 0,
          room,
          linkTo,
        );
        const next =
          nextDocument === undefined ? { record: at + 1, document: 0 } : { record: at, document: nextDocument };
        return { texts: [linked], ...(next.record < total && { next: { careVersion, ...next } }) };
      }
      texts.push(text);
      at += 1;
    }
  }
  return { texts };
}

/**
 * A record as the insurer sent it, with links in place of its documents' contents; undefined when no answer has room for it.
 * One that is small enough for an item of the table has no text in the bucket to link to: an answer has room for it in any
 * case, as the margin takes what it is over beside the largest master data.
 */
async function recordText(
  { body, bodyRef, documents }: StoredCareRecord,
  room: number,
  linkTo: LinkTo,
): Promise<string | undefined> {
  if (bodyRef && documents.length * linkBytesMin > room) return undefined;
  const record =
    documents.length === 0 ? undefined : (parseLossless(body) as { documents?: { contentBase64: unknown }[] });
  for (const { index, content } of documents) {
    const document = record?.documents?.[index];
    if (document) document.contentBase64 = await linkTo(content);
  }
  const text = record === undefined ? body : printLossless(record);
  return bodyRef && sizeInAnswer(text) > room ? undefined : text;
}

/** A record that no answer has room for, as a link, with links to its documents from one on, as many as there is room for. */
async function linkedText(
  { recordId, bodyRef, documents }: StoredCareRecord,
  from: number,
  room: number,
  linkTo: LinkTo,
) {
  if (bodyRef === undefined) throw new Error('a record this large has its text in the bucket');
  const links: object[] = [];
  let used = linkBytesMax; // the record's own
  for (const { index, content } of documents.slice(from)) {
    const link = { index, ...(await linkTo(content)) };
    used += sizeInAnswer(JSON.stringify(link));
    if (used > room) break;
    links.push(link);
  }
  const isWhole = from + links.length === documents.length;
  return {
    linked: JSON.stringify({ id: recordId, linked: true, ...(await linkTo(bodyRef)), documents: links }),
    nextDocument: isWhole ? undefined : from + links.length,
  };
}

/** The bytes that a part of the answer takes within the JSON string that Lambda makes of it. */
const sizeInAnswer = (text: string): number => Buffer.byteLength(JSON.stringify(text));
