import { type ContentLink, type DocumentContent, sentDocument } from '../core/contract/document-content.ts';
import type { LastSync } from '../core/domain/patient.ts';
import { isRawNumber, parseLossless, printLossless } from '../core/json/lossless.ts';
import { forEachParallel } from '../core/stores/parallel.ts';
import { type Api, ApiError } from './api-client.ts';

/** How often a patient is read in all, if the care records change meanwhile. */
const maxReads = 5;
const parallelLinks = 4;
const problemsOfAChange = ['care-records-changed', 'document-unknown'];

/** One page of GET /patients/{patientRef}. */
interface Page {
  readonly patient: object;
  readonly careRecords: readonly (CareRecord | LinkedRecord)[];
  readonly provisional?: true;
  readonly careRecordsAsOf?: string;
  readonly lastSync?: LastSync;
  readonly nextToken?: string;
}
/** As the insurer sent it, except that the content of a document is a link. Any field may have any type. */
interface CareRecord {
  readonly id: string;
  documents?: unknown;
}
/**
 * A record that is too large for an answer. Its link leads to a CareRecord as the insurer sent it, as text. If the next one has the
 * same id, it continues the list of documents.
 */
interface LinkedRecord extends ContentLink {
  readonly id: string;
  readonly linked: true;
  readonly documents: readonly (ContentLink & DocumentContent & { readonly index: number })[];
}

/**
 * Reads a patient with all care records and the content of all documents. Returns the JSON text
 * `{patient, provisional?, careRecords, careRecordsAsOf?, lastSync?}`, in which everything is exactly as the insurer sent it.
 * @throws ApiError
 */
export async function patientText(api: Api, patientRef: string): Promise<string> {
  for (let reads = 1; ; reads += 1) {
    try {
      return await readWhole(api, patientRef);
    } catch (error) {
      if (!(error instanceof ApiError) || !problemsOfAChange.includes(error.problem ?? '') || reads === maxReads)
        throw error;
    }
  }
}

async function readWhole(api: Api, patientRef: string): Promise<string> {
  const records: CareRecord[] = [];
  let first: Page | undefined;
  let linkedId: string | undefined;
  for await (const page of api.pages<Page>(`/patients/${patientRef}`)) {
    first ??= page;
    for (const answered of page.careRecords) {
      const isLinked = 'linked' in answered && api.isLink(answered.href);
      if (!isLinked) records.push(answered as CareRecord);
      else if (linkedId !== answered.id)
        records.push(parseLossless(String(await api.readLink(answered))) as CareRecord);
      linkedId = isLinked ? answered.id : undefined;
      const record = records.at(-1);
      const documents: unknown[] = Array.isArray(record?.documents) ? record.documents : [];
      const texts = isLinked
        ? await readTexts(
            answered.documents.map(({ index, ...content }) => [index, content]),
            api,
          )
        : await readTexts(contentsIn(documents), api);
      for (const [index, document] of documents.entries()) {
        if (!isFields(document)) continue;
        const text = texts.get(index);
        if (!isLinked) documents[index] = sentDocument(document, text);
        else if (text !== undefined) document['contentBase64'] = text;
      }
    }
  }
  if (first === undefined) throw new Error('the API answered without a page');
  const lastSync = first.lastSync === undefined ? '' : `,\n"lastSync": ${JSON.stringify(first.lastSync)}`;
  const { careRecordsAsOf } = first;
  const asOf = careRecordsAsOf === undefined ? '' : `,\n"careRecordsAsOf": ${JSON.stringify(careRecordsAsOf)}`;
  const texts = records.map((record) => `\n${printLossless(record)}`).join(',');
  const provisional = first.provisional ? `\n"provisional": true,` : '';
  return `{\n"patient": ${printLossless(first.patient)},${provisional}\n"careRecords": [${texts}]${asOf}${lastSync}\n}\n`;
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);

const contentsIn = (documents: readonly unknown[]): [index: number, DocumentContent][] =>
  documents.flatMap((document, index) => {
    const content = isFields(document) ? document['content'] : undefined;
    return isFields(content) ? [[index, content]] : [];
  });

/** Reads contentBase64 of documents as the insurer sent it, by their index. */
async function readTexts(
  contents: readonly (readonly [index: number, DocumentContent])[],
  api: Api,
): Promise<ReadonlyMap<number, string>> {
  const texts = new Map<number, string>();
  await forEachParallel(contents, parallelLinks, async ([index, { href, sha256, as, sent }]) => {
    if (href === undefined || sha256 === undefined || !api.isLink(href)) return;
    if (as === 'sent') texts.set(index, String(await api.readLink({ href, sha256 })));
    else if (sent) texts.set(index, String(await api.readLink({ href: `${href}?as=sent`, sha256: sent.sha256 })));
    else texts.set(index, (await api.readLink({ href, sha256 })).toString('base64'));
  });
  return texts;
}
