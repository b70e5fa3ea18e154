import { parseLossless, printLossless } from '../json/lossless.ts';
import { type DocumentFile, decodeSent } from './document-file.ts';
import { fileNameOf, mediaTypeOf } from './file-headers.ts';

/** The content of a document, separated from its record: a file, the text as it was sent, or both. */
export interface SplitDocument {
  /** its position among the record's documents, from 0 */
  readonly index: number;
  /** absent if the text is no base64 */
  readonly file?: DocumentFile;
  /** contentBase64 as the insurer sent it; absent if it is the base64 of the file */
  readonly sent?: string;
}

export interface SplitRecord {
  readonly recordId: string;
  /** the record as JSON text, with every field that the insurer sent; contentBase64 of separated documents is empty */
  readonly body: string;
  readonly documents: readonly SplitDocument[];
}

/** An answer, split into envelope, records and documents, in the insurer's order. */
export interface SplitAnswer {
  readonly kvnr: string;
  /** the answer as JSON text, without its records and without the KVNR */
  readonly envelope: string;
  readonly records: readonly SplitRecord[];
}

interface Answer {
  kvnr: string;
  careRecords: { id: string; documents?: unknown }[];
}
interface HeldDocument {
  contentBase64: string;
  readonly id?: unknown;
  readonly title?: unknown;
  readonly mediaType?: unknown;
}

/** Returns the documents of a record whose content is a text. The others stay in the record as they were sent. */
function* documentsOf({ documents }: Answer['careRecords'][number]): Generator<[index: number, HeldDocument]> {
  if (!Array.isArray(documents)) return;
  for (const [index, document] of (documents as unknown[]).entries())
    if (typeof (Object(document) as Partial<HeldDocument>).contentBase64 === 'string')
      yield [index, document as HeldDocument];
}

/**
 * Splits an answer into envelope, records and documents.
 * @param text an answer without hard problems (care-record.ts)
 * @throws SyntaxError if the text is not JSON. Its message quotes the text: do not log it
 */
export function splitAnswer(text: string): SplitAnswer {
  const answer = parseLossless(text) as Answer;
  const { kvnr } = answer;
  const records = answer.careRecords.map((record) => {
    const documents: SplitDocument[] = [];
    for (const [index, document] of documentsOf(record)) {
      const { contentBase64 } = document;
      if (!contentBase64.isWellFormed()) continue; // UTF-8 cannot represent a lone surrogate, but an escape in JSON can
      documents.push({ index, ...contentOf(document) });
      document.contentBase64 = '';
    }
    return { recordId: record.id, body: printLossless(record), documents };
  });
  answer.kvnr = '';
  answer.careRecords = [];
  return { kvnr, envelope: printLossless(answer), records };
}

function contentOf({ contentBase64, id, title, mediaType: sentMediaType }: HeldDocument): Omit<SplitDocument, 'index'> {
  const { bytes, sent } = decodeSent(contentBase64);
  const mediaType = mediaTypeOf(sentMediaType);
  const name = fileNameOf(title ?? id, mediaType);
  return {
    ...(bytes && { file: { bytes, mediaType: mediaType ?? 'application/octet-stream', name } }),
    ...(sent !== undefined && { sent }),
  };
}

/** Returns contentBase64 as the insurer sent it. */
export const sentText = ({ file, sent }: Pick<SplitDocument, 'file' | 'sent'>): string =>
  sent ?? Buffer.from(file?.bytes ?? []).toString('base64');

/** Joins a record and its documents to the record that the insurer sent. */
export function joinRecord({ body, documents }: Pick<SplitRecord, 'body' | 'documents'>): string {
  if (documents.length === 0) return body;
  const record = parseLossless(body) as Answer['careRecords'][number];
  const contents = new Map(documents.map((document) => [document.index, sentText(document)]));
  for (const [index, document] of documentsOf(record))
    document.contentBase64 = contents.get(index) ?? document.contentBase64;
  return printLossless(record);
}

/** Joins a split answer to the answer that the insurer sent. */
export function joinAnswer(split: SplitAnswer): string {
  const answer = parseLossless(split.envelope) as Answer;
  answer.kvnr = split.kvnr;
  answer.careRecords = split.records.map(
    (record) => parseLossless(joinRecord(record)) as Answer['careRecords'][number],
  );
  return printLossless(answer);
}
