import { answeredDocument, type ContentLink, type DocumentContent } from '../../core/contract/document-content.ts';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { StoredPatient } from '../../core/domain/patient.ts';
import { isRawNumber, parseLossless, printLossless } from '../../core/json/lossless.ts';
import type { DocumentReference, StoredCareRecord } from '../../core/stores/care-records.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { type DocumentLink, encryptDocumentLink, formOf } from '../http/document-link.ts';
import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';
import { Problem } from '../http/problems.ts';
import { readCurrent, VersionGone } from './current-patient.ts';

/** An answer of a Lambda has 6 MB at most, measured as a JSON string. This leaves a margin for the rest of the answer. */
const answerMaxBytes = 5_000_000;
/** A client wants the first ones soon. */
const recordsMax = 1_000;
/** Bytes of a link: a token of some hundred bytes, a SHA-256 of 64, and the reader's name. */
const linkBytesMin = 400;
const linkBytesMax = 4_000;
/** Start of a page: a record of a version, and for a linked record one of its documents. */
interface Position {
  readonly careVersion: string;
  readonly record: number;
  readonly document: number;
}

/** Creates links for this reader: to a document, or to a record's text. */
interface LinkTo {
  document(document: DocumentReference): Promise<DocumentContent>;
  record(body: PayloadReference): Promise<ContentLink>;
}

/**
 * Returns a patient and a page of their care records, exactly as the insurer sent them, except that the contents of documents are
 * links. Builds the answer as text, because printing parsed JSON would change numbers.
 */
export const readPatient: Handler<'readPatient'> = async (call, { stores, tokenCipher }) => {
  const { patientRef, query, actor: reader, apiUrl } = call;
  const pages = pageTokens<Position>(tokenCipher, `care records of ${patientRef}`);
  const position = await pages.positionOf(query.nextToken);
  const createLink = async (link: Pick<DocumentLink, 'content' | 'form' | 'sentKey'>): Promise<ContentLink> => {
    const { token, expiresAt } = await encryptDocumentLink(tokenCipher, { patientRef, ...link, reader });
    const { sizeBytes, sha256 } = link.content;
    return { href: `${apiUrl}/documents/${token}`, sizeBytes, sha256, expiresAt };
  };
  const linkTo: LinkTo = {
    record: async (content) => await createLink({ content, form: 'record' }),
    async document(document) {
      const form = formOf(document);
      const { sent } = document;
      return {
        ...(await createLink(form)),
        ...(form.form === 'text' && { as: 'sent' }),
        ...(sent && { sent: { sizeBytes: sent.sizeBytes, sha256: sent.sha256 } }),
      };
    },
  };
  return await readCurrent(stores, patientRef, async (patient) => {
    if (position !== undefined && position.careVersion !== patient.careVersion)
      throw new Problem('care-records-changed');
    const page = await recordsPage(stores.careRecords, patient, position, linkTo);
    const isProvisional = patient.standing === 'provisional';
    // a provisional patient has no master data: the KVNR is all that is known
    const person = isProvisional
      ? `{"kvnr": ${JSON.stringify(patient.kvnr)}},\n"provisional": true`
      : (patient.body ?? '');
    const parts = [`"patient": ${person}`, `"careRecords": [${page.texts.join(',\n')}]`];
    if (patient.careVersion !== undefined)
      parts.push(`"careRecordsAsOf": ${JSON.stringify(patient.careRecordsAsOf ?? 'unknown')}`);
    if (patient.lastSync) parts.push(`"lastSync": ${JSON.stringify(patient.lastSync)}`);
    const { nextToken } = await pages.nextToken(page.next);
    if (nextToken !== undefined) parts.push(`"nextToken": ${JSON.stringify(nextToken)}`);
    return { text: `{${parts.join(',\n')}}` };
  });
};

interface RecordsPage {
  readonly texts: readonly string[];
  readonly next?: Position;
}

/** Returns as many records as fit into an answer. @throws VersionGone */
async function recordsPage(
  careRecords: Stores['careRecords'],
  { patientRef, careVersion, body = '' }: StoredPatient,
  position: Position | undefined,
  linkTo: LinkTo,
): Promise<RecordsPage> {
  if (careVersion === undefined) return { texts: [] };
  const room = answerMaxBytes - sizeInAnswer(body);
  const texts: string[] = [];
  let used = 0;
  const first = position?.record ?? 0;
  const page = await careRecords.readPage(patientRef, careVersion, first, { records: recordsMax, bytes: room });
  if (page === undefined) throw new VersionGone();
  const from = (record: number, document = 0) => ({ next: { careVersion, record, document } });
  for (const record of page.records) {
    const at = first + texts.length;
    const text = await recordText(record, room, linkTo);
    used += text === undefined ? room : sizeInAnswer(text);
    if (used > room && texts.length > 0) return { texts, ...from(at) };
    if (text === undefined) {
      const { linked, nextDocument } = await linkedText(record, position?.document ?? 0, room, linkTo);
      const next = nextDocument === undefined ? from(at + 1) : from(at, nextDocument);
      return { texts: [linked], ...(next.next.record < page.total && next) };
    }
    texts.push(text);
  }
  const end = first + texts.length;
  return { texts, ...(end < page.total && from(end)) };
}

/**
 * Returns a record as the insurer sent it, with links instead of the contents of its documents; undefined if it fits
 * into no answer. A record that is small enough for a table item has no object to link to. It always fits, because the
 * margin covers the excess next to the largest master data.
 */
async function recordText(
  { body, bodyRef, documents }: StoredCareRecord,
  room: number,
  linkTo: LinkTo,
): Promise<string | undefined> {
  if (bodyRef && documents.length * linkBytesMin > room) return undefined;
  const mayDiffer = documents.length > 0 || body.includes('"content"'); // the insurer's own `content` is not ours
  const text = mayDiffer ? await linkedDocuments(body, documents, linkTo) : body;
  return bodyRef && sizeInAnswer(text) > room ? undefined : text;
}

async function linkedDocuments(
  body: string,
  references: readonly DocumentReference[],
  linkTo: LinkTo,
): Promise<string> {
  const record = parseLossless(body) as { documents?: unknown };
  const { documents } = record;
  if (!Array.isArray(documents)) return body;
  const links = new Map<number, DocumentContent>();
  for (const reference of references) links.set(reference.index, await linkTo.document(reference));
  record.documents = documents.map((document: unknown, index) =>
    isFields(document) ? answeredDocument(document, links.get(index)) : document,
  );
  return printLossless(record);
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);

/** Returns a link to a record that fits into no answer, with links to as many of its documents as fit, from `from` on. */
async function linkedText(
  { recordId, bodyRef, documents }: StoredCareRecord,
  from: number,
  room: number,
  linkTo: LinkTo,
) {
  if (bodyRef === undefined) throw new Error('a record that is too large for an answer has no object in the bucket');
  const links: object[] = [];
  let used = linkBytesMax; // the record's own
  for (const document of documents.slice(from)) {
    const link = { index: document.index, ...(await linkTo.document(document)) };
    used += sizeInAnswer(JSON.stringify(link));
    if (used > room) break;
    links.push(link);
  }
  const isWhole = from + links.length === documents.length;
  return {
    linked: JSON.stringify({ id: recordId, linked: true, ...(await linkTo.record(bodyRef)), documents: links }),
    nextDocument: isWhole ? undefined : from + links.length,
  };
}

/** Returns the bytes of a part of the answer within the JSON string that Lambda creates. */
const sizeInAnswer = (text: string): number => Buffer.byteLength(JSON.stringify(text));
