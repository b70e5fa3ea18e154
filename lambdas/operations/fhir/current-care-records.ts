import type { FhirResource } from 'fhir/r4.js';
import {
  attachedFiles,
  documentsOf,
  episodeResource,
  type FhirDocument,
} from '../../../core/domain/fhir/care-record.ts';
import type { StoredPatient } from '../../../core/domain/patient.ts';
import type { StoredCareRecord } from '../../../core/stores/care-records.ts';
import type { Stores } from '../../../core/stores/open-stores.ts';
import { VersionGone } from '../current-patient.ts';

/** Each read finds the whole order of the records, so it takes as many as a page may need. */
const atOnce = { records: 1_000, bytes: 5_000_000 };
/** Returns the address of the FHIR API, without a slash at the end. */
export const fhirUrl = (apiUrl: string): string => `${apiUrl}/fhir`;

/** A place among the resources of a patient's care records: 0 is the Versorgung, and its documents follow. */
export interface Place {
  readonly record: number;
  readonly item: number;
}

export interface CareResource {
  readonly place: Place;
  readonly resource: FhirResource;
  /** only of a document */
  readonly document?: { readonly of: StoredCareRecord } & FhirDocument;
}

/** Returns the resources of a patient's care records, in the insurer's order. @throws VersionGone */
export async function* careResources(
  { careRecords }: Stores,
  { patientRef, careVersion, careRecordsAsOf }: StoredPatient,
  apiUrl: string,
  from: Place = { record: 0, item: 0 },
): AsyncGenerator<CareResource> {
  if (careVersion === undefined) return;
  for (let at = from.record, total = at + 1; at < total; ) {
    const page = await careRecords.readPage(patientRef, careVersion, at, atOnce);
    if (page === undefined) throw new VersionGone();
    total = page.total;
    for (const stored of page.records) {
      const { recordId, body, documents } = stored;
      const record = { patientRef, careVersion, receivedAt: careRecordsAsOf, recordId, body };
      const contents = attachedFiles(documents);
      const items = [
        { resource: episodeResource(record) },
        ...documentsOf(record, fhirUrl(apiUrl), (index) => contents.get(index)).map((document) => ({
          resource: document.resource,
          document: { of: stored, ...document },
        })),
      ];
      for (const [item, found] of items.entries())
        if (at > from.record || item >= from.item) yield { place: { record: at, item }, ...found };
      at += 1;
    }
  }
}
