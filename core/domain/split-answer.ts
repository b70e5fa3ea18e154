import { parseLossless, printLossless } from '../json/lossless.ts';

/** A document's text, taken out of its record. */
export interface SplitDocument {
  /** its place among the record's documents, from 0 */
  readonly index: number;
  /** contentBase64 as the insurer sent it, even when it is no base64 */
  readonly contentBase64: string;
}

export interface SplitRecord {
  readonly recordId: string;
  /** the record as JSON text, every field that the insurer sent; contentBase64 of what was taken out is empty */
  readonly body: string;
  readonly documents: readonly SplitDocument[];
}

/** An answer taken apart, in the insurer's order. */
export interface SplitAnswer {
  readonly kvnr: string;
  /** what surrounds the records, as JSON text: without them, and without the KVNR */
  readonly envelope: string;
  readonly records: readonly SplitRecord[];
}

interface Answer {
  kvnr: string;
  careRecords: { id: string; documents?: { contentBase64: string }[] }[];
}

/** @param text fits CareRecordsAnswer (insurer-api.yaml). @throws SyntaxError when it is no JSON: its message quotes the text */
export function splitAnswer(text: string): SplitAnswer {
  const answer = parseLossless(text) as Answer;
  const { kvnr } = answer;
  const records = answer.careRecords.map((record) => {
    const documents: SplitDocument[] = [];
    for (const [index, document] of (record.documents ?? []).entries()) {
      const { contentBase64 } = document;
      if (!contentBase64.isWellFormed()) continue; // a file of UTF-8 could not hold it; JSON's escapes can
      documents.push({ index, contentBase64 });
      document.contentBase64 = '';
    }
    return { recordId: record.id, body: printLossless(record), documents };
  });
  answer.kvnr = '';
  answer.careRecords = [];
  return { kvnr, envelope: printLossless(answer), records };
}

/** A record as the insurer sent it, from what `takeApart` made of it. */
export function joinRecord({ body, documents }: Pick<SplitRecord, 'body' | 'documents'>): string {
  if (documents.length === 0) return body;
  const record = parseLossless(body) as Answer['careRecords'][number];
  for (const { index, contentBase64 } of documents) {
    const document = record.documents?.[index];
    if (document) document.contentBase64 = contentBase64;
  }
  return printLossless(record);
}

/** The whole answer as the insurer sent it. */
export function joinAnswer(parts: SplitAnswer): string {
  const answer = parseLossless(parts.envelope) as Answer;
  answer.kvnr = parts.kvnr;
  answer.careRecords = parts.records.map(
    (record) => parseLossless(joinRecord(record)) as Answer['careRecords'][number],
  );
  return printLossless(answer);
}
