import type { FhirResource } from 'fhir/r4.js';
import { neverFetched, searchset } from '../../../core/domain/fhir/bundle.ts';
import type { StoredPatient } from '../../../core/domain/patient.ts';
import type { Clients } from '../../clients.ts';
import { pageTokens } from '../../http/page-tokens.ts';
import { Problem } from '../../http/problems.ts';
import { readCurrent } from '../current-patient.ts';
import { careResources, fhirUrl, type Place } from './current-care-records.ts';

/** Most resources in a page, also if a caller wants more: the answer says how it goes on. */
const countMax = 100;
const countUsual = 50;
/** An answer of a Lambda has 6 MB at most, measured as a JSON string. One resource has a few 100 KB at most. */
const pageMaxBytes = 4_000_000;

/** Start of a page. The resources of the patient themselves come before all records. */
interface Position extends Place {
  readonly careVersion: string;
}
const firstPlace: Place = { record: -1, item: 0 };

export interface PageRequest {
  readonly patientRef: string;
  readonly apiUrl: string;
  readonly query: { readonly _count?: string | undefined; readonly nextToken?: string | undefined };
}

export const countOf = ({ _count }: PageRequest['query']): number => Math.min(Number(_count ?? countUsual), countMax);

/** Returns the addresses of a page and of the next one. @param address with the parameters of the search */
export function linksOf(address: string, { _count }: PageRequest['query'], nextToken: string | undefined) {
  const withParams = (more: Readonly<Record<string, string>>): string => {
    const params = new URLSearchParams({ ...(_count !== undefined && { _count }), ...more }).toString();
    return params === '' ? address : `${address}${address.includes('?') ? '&' : '?'}${params}`;
  };
  return { self: withParams({}), ...(nextToken !== undefined && { next: withParams({ nextToken }) }) };
}

/**
 * Returns one page of a patient's resources.
 * @param address of the first page, below that of the FHIR API
 * @param isWanted which types it has
 * @param own the resources of the patient themselves, which come first
 * @throws Problem `patient-unknown`, `care-records-changed`, `storage-unavailable`
 */
export async function searchPage(
  { patientRef, apiUrl, query }: PageRequest,
  { stores, tokenCipher }: Clients,
  address: string,
  isWanted: (type: FhirResource['resourceType']) => boolean,
  own: (patient: StoredPatient) => readonly FhirResource[] = () => [],
): Promise<object> {
  const pages = pageTokens<Position>(tokenCipher, `FHIR ${address}`);
  const position = await pages.positionOf(query.nextToken);
  return await readCurrent(stores, patientRef, async (patient) => {
    const careVersion = patient.careVersion ?? '';
    if (position !== undefined && position.careVersion !== careVersion) throw new Problem('care-records-changed');
    const resources: FhirResource[] = [];
    let used = 0;
    let next: Position | undefined;
    for await (const { resource, place } of allResources(stores, patient, apiUrl, position ?? firstPlace, own)) {
      if (!isWanted(resource.resourceType)) continue;
      used += Buffer.byteLength(JSON.stringify(JSON.stringify(resource)));
      if (resources.length > 0 && (resources.length === countOf(query) || used > pageMaxBytes)) {
        next = { careVersion, ...place };
        break;
      }
      resources.push(resource);
    }
    const { nextToken } = await pages.nextToken(next);
    const links = linksOf(`${fhirUrl(apiUrl)}/${address}`, query, nextToken);
    return searchset(resources, fhirUrl(apiUrl), links, patient.careVersion === undefined ? neverFetched : undefined);
  });
}

async function* allResources(
  stores: Clients['stores'],
  patient: StoredPatient,
  apiUrl: string,
  from: Place,
  own: (patient: StoredPatient) => readonly FhirResource[],
) {
  if (from.record < 0)
    for (const [item, resource] of own(patient).entries())
      if (item >= from.item) yield { place: { record: -1, item }, resource };
  yield* careResources(stores, patient, apiUrl, from.record < 0 ? undefined : from);
}
