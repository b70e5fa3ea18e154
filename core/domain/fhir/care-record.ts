import { createHash } from 'node:crypto';
import type { Condition, DocumentReference, EpisodeOfCare, Organization } from 'fhir/r4.js';
import { programmes } from '../care-record.ts';
import { mediaTypeOf } from '../file-headers.ts';
import { epaSyncUri, systems } from './uris.ts';
import { fieldsOf, periodOf, textOf, unreadable } from './values.ts';

/** Most diagnoses in one resource. A record of the insurer may have any number. */
const diagnosesMax = 500;

/** A stored care record, as the resources need it. */
export interface FhirCareRecord {
  readonly patientRef: string;
  readonly careVersion: string;
  /** when it was received, ISO 8601 UTC; absent if it is not known */
  readonly receivedAt?: string | undefined;
  readonly recordId: string;
  /** JSON text */
  readonly body: string;
}

/**
 * Returns the id of a resource that is made from a care record: the same in each version, because records and documents are
 * known by what the insurer calls them. FHIR allows 64 of A-Z, a-z, 0-9, - and . (R4, datatypes, "id").
 */
const idOf = (patientRef: string, ...parts: readonly unknown[]): string =>
  `${patientRef}-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)}`;

export const episodeId = ({ patientRef, recordId }: Pick<FhirCareRecord, 'patientRef' | 'recordId'>): string =>
  idOf(patientRef, 'episode', recordId);

/** Returns the patient of a resource whose id `episodeId` or `documentsOf` has made. */
export const patientRefIn = (id: string): string => id.slice(0, 32);

const metaOf = ({ careVersion, receivedAt }: FhirCareRecord) => ({
  versionId: careVersion,
  ...(receivedAt !== undefined && { lastUpdated: receivedAt }),
});

/** Returns a Versorgung in FHIR R4 (ADR 0070 says why it is an EpisodeOfCare). */
export function episodeResource(record: FhirCareRecord): EpisodeOfCare {
  const { programme, title, status, start, end, provider, diagnoses } = fieldsOf(JSON.parse(record.body));
  const subject = { reference: `Patient/${record.patientRef}` };
  const conditions = (Array.isArray(diagnoses) ? diagnoses : [])
    .slice(0, diagnosesMax)
    .flatMap((diagnosis: unknown, index) => conditionOf(diagnosis, `diagnosis-${index}`, subject) ?? []);
  const organization = providerOf(provider);
  const contained = [...conditions, ...(organization ? [organization] : [])];
  const period = periodOf(start, end);
  const type = typeOf(programme, title);
  return {
    resourceType: 'EpisodeOfCare',
    id: episodeId(record),
    meta: metaOf(record),
    ...(contained.length > 0 && { contained }), // FHIR does not allow empty arrays
    identifier: identifierOf('care-record-id', record.recordId),
    ...statusOf(status),
    ...(type && { type: [type] }),
    ...(conditions.length > 0 && { diagnosis: conditions.map(({ id }) => ({ condition: { reference: `#${id}` } })) }),
    patient: subject,
    ...(organization && { managingOrganization: { reference: '#provider' } }),
    ...(period && { period }),
  };
}

const identifierOf = (name: string, value: unknown) => [
  { system: epaSyncUri(name), value: textOf(value) ?? JSON.stringify(value) },
];

const statuses = ['planned', 'waitlist', 'active', 'onhold', 'finished', 'cancelled', 'entered-in-error'] as const;

/**
 * Returns the status, which FHIR demands. The insurer is asked for active care records (insurer-api.yaml, getCareRecords): so
 * a word that FHIR does not know becomes `active`, and an extension says what the insurer has sent.
 */
function statusOf(sent: unknown): Pick<EpisodeOfCare, 'status' | '_status'> {
  const status = statuses.find((known) => known === sent);
  if (status !== undefined) return { status };
  const valueString = textOf(sent) ?? textOf(JSON.stringify(sent ?? null)) ?? '';
  return { status: 'active', _status: { extension: [{ url: epaSyncUri('sent-status'), valueString }] } };
}

function typeOf(programme: unknown, title: unknown) {
  const text = textOf(title);
  const known = (programmes as readonly unknown[]).includes(programme) ? (programme as string) : undefined;
  const shown = text ?? (known === undefined ? textOf(programme) : undefined);
  if (known === undefined && shown === undefined) return undefined;
  return {
    ...(known !== undefined && { coding: [{ system: epaSyncUri('programme'), code: known }] }),
    ...(shown !== undefined && { text: shown }),
  };
}

/** A code has no white space but single blanks (R4, datatypes, "code"). */
const codePattern = /^[^\s]+( [^\s]+)*$/;

function conditionOf(value: unknown, id: string, subject: { reference: string }): Condition | undefined {
  const fields = fieldsOf(value);
  const [code, text] = [textOf(fields['code']), textOf(fields['text'])];
  const isCode = code !== undefined && codePattern.test(code);
  const shown = text ?? (isCode ? undefined : code);
  if (!isCode && shown === undefined) return undefined;
  return {
    resourceType: 'Condition',
    id,
    code: {
      ...(isCode && { coding: [{ system: systems.icd10Gm, code }] }),
      ...(shown !== undefined && { text: shown }),
    },
    subject,
  };
}

function providerOf(value: unknown): Organization | undefined {
  const fields = fieldsOf(value);
  const [bsnr, name] = [textOf(fields['bsnr']), textOf(fields['name'])];
  if (bsnr === undefined && name === undefined) return undefined;
  const isBsnr = bsnr !== undefined && /^\d{9}$/.test(bsnr);
  return {
    resourceType: 'Organization',
    id: 'provider',
    ...(bsnr !== undefined && { identifier: [{ ...(isBsnr && { system: systems.bsnr }), value: bsnr }] }),
    ...(name !== undefined && { name }),
  };
}

/** A document of a care record. */
export interface FhirDocument {
  readonly id: string;
  /** its position among the record's documents, from 0 */
  readonly index: number;
  /** as the insurer calls it, if that is a media type */
  readonly mediaType?: string;
  readonly resource: DocumentReference;
}

/** The content of a document. What is known of its file is in it; nothing if it was stored as text. */
export interface AttachedFile {
  readonly sizeBytes?: number;
  /** base64 */
  readonly sha1?: string;
}

/** A stored document content (core/stores/care-records.ts). Of a text, as earlier versions stored it, the file is not known. */
interface StoredContent {
  readonly index: number;
  readonly content: { readonly sizeBytes: number };
  readonly fileSha1?: string;
}

/** Returns what is known of the files of a record's documents, by their position. */
export const attachedFiles = (documents: readonly StoredContent[]): ReadonlyMap<number, AttachedFile> =>
  new Map(
    documents.map(({ index, content: { sizeBytes }, fileSha1 }) => [
      index,
      fileSha1 === undefined ? {} : { sizeBytes, sha1: fileSha1 },
    ]),
  );

/**
 * Returns the documents of a record in FHIR R4, in the insurer's order.
 * @param baseUrl address of the FHIR API, without a slash at the end
 * @param contentOf the content of the document at a position; undefined if none is stored
 */
export function documentsOf(
  record: FhirCareRecord,
  baseUrl: string,
  contentOf: (index: number) => AttachedFile | undefined,
): readonly FhirDocument[] {
  const { documents } = fieldsOf(JSON.parse(record.body));
  const seen = new Map<unknown, number>();
  return (Array.isArray(documents) ? documents : []).map((value: unknown, index) => {
    const fields = fieldsOf(value);
    const sentId = typeof fields['id'] === 'string' ? fields['id'] : undefined;
    const before = seen.get(sentId) ?? 0; // documents with the same id, or without one
    seen.set(sentId, before + 1);
    const id = idOf(record.patientRef, 'document', record.recordId, sentId ?? null, before);
    const title = textOf(fields['title']);
    const contentType = mediaTypeOf(textOf(fields['mediaType']));
    const content = contentOf(index);
    const resource: DocumentReference = {
      resourceType: 'DocumentReference',
      id,
      meta: metaOf(record),
      ...(sentId !== undefined && { identifier: identifierOf('document-id', sentId) }),
      status: 'current',
      subject: { reference: `Patient/${record.patientRef}` },
      ...(title !== undefined && { description: title }),
      content: [
        {
          attachment: {
            ...(contentType !== undefined && { contentType }),
            ...(content ? { url: `${baseUrl}/Binary/${id}` } : { _url: unreadable }),
            ...(content?.sizeBytes !== undefined && { size: content.sizeBytes }),
            ...(content?.sha1 !== undefined && { hash: content.sha1 }), // SHA-1 in R4
            ...(title !== undefined && { title }),
          },
        },
      ],
      context: { encounter: [{ reference: `EpisodeOfCare/${episodeId(record)}` }] },
    };
    return { id, index, ...(contentType !== undefined && { mediaType: contentType }), resource };
  });
}
