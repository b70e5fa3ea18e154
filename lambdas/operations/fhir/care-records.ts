import type { FhirResource } from 'fhir/r4.js';
import type { Clients } from '../../clients.ts';
import type { Call, Handler } from '../../http/operation.ts';
import { Problem } from '../../http/problems.ts';
import { readCurrent } from '../current-patient.ts';
import { type CareResource, careResources } from './current-care-records.ts';
import { searchPage } from './search-page.ts';

type ReadCall = Pick<Call<'readFhirEpisode'>, 'patientRef' | 'params' | 'apiUrl'>;

/**
 * Finds a resource of the care records by its id, and reads what belongs to it.
 * @throws Problem `resource-unknown`, `patient-unknown`, `storage-unavailable`
 */
export async function readFound<Result>(
  { patientRef, params, apiUrl }: ReadCall,
  { stores }: Clients,
  read: (found: CareResource) => Promise<Result>,
): Promise<Result> {
  return await readCurrent(stores, patientRef, async (patient) => {
    for await (const found of careResources(stores, patient, apiUrl))
      if (found.resource.id === params.id) return await read(found);
    throw new Problem('resource-unknown');
  });
}

async function readOfType(call: ReadCall, clients: Clients, type: FhirResource['resourceType']) {
  return await readFound(call, clients, async ({ resource }) => {
    if (resource.resourceType !== type) throw new Problem('resource-unknown');
    return { fhir: resource };
  });
}

export const readFhirEpisode: Handler<'readFhirEpisode'> = async (call, clients) =>
  await readOfType(call, clients, 'EpisodeOfCare');

export const searchFhirEpisodes: Handler<'searchFhirEpisodes'> = async (call, clients) => {
  const address = `EpisodeOfCare?patient=${call.patientRef}`;
  return { fhir: await searchPage(call, clients, address, (type) => type === 'EpisodeOfCare') };
};

export const readFhirDocument: Handler<'readFhirDocument'> = async (call, clients) =>
  await readOfType(call, clients, 'DocumentReference');

export const searchFhirDocuments: Handler<'searchFhirDocuments'> = async (call, clients) => {
  const address = `DocumentReference?patient=${call.patientRef}`;
  return { fhir: await searchPage(call, clients, address, (type) => type === 'DocumentReference') };
};
