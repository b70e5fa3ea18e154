import type { LastSync } from '../core/domain/patient.ts';
import { parseLossless, printLossless } from '../core/json/lossless.ts';
import { forEachParallel } from '../core/stores/parallel.ts';
import { type Api, ApiError, type Link } from './api-client.ts';

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
/** As the insurer sent it, except that the content of a document may be a link. Any field may have any type. */
interface CareRecord {
  readonly id: string;
  readonly documents?: unknown;
}
/**
 * A record that is too large for an answer. Its link leads to a CareRecord as text. If the next one has the same id, it
 * continues the list of documents.
 */
interface LinkedRecord extends Link {
  readonly id: string;
  readonly linked: true;
  readonly documents: readonly (Link & { readonly index: number })[];
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
      else if (linkedId !== answered.id) records.push(parseLossless(await api.readLink(answered)) as CareRecord);
      linkedId = isLinked ? answered.id : undefined;
      const documents = documentsOf(records.at(-1));
      const links = isLinked ? answered.documents : linksIn(documents, api);
      await forEachParallel(links, parallelLinks, async (link) => {
        const document = documents[link.index];
        if (isObject(document)) document['contentBase64'] = await api.readLink(link);
      });
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

type JsonObject = Record<string, unknown>;
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null;

const documentsOf = (record: CareRecord | undefined): readonly unknown[] =>
  Array.isArray(record?.documents) ? record.documents : [];

const linksIn = (documents: readonly unknown[], api: Api): LinkedRecord['documents'] =>
  documents.flatMap((document, index) => {
    const content = isObject(document) ? document['contentBase64'] : undefined;
    return isObject(content) && api.isLink(content['href']) ? [{ index, ...(content as object as Link) }] : [];
  });
