import type { FhirResource } from 'fhir/r4.js';
import { searchset } from '../../../core/domain/fhir/bundle.ts';
import { coverageResource, patientResource } from '../../../core/domain/fhir/patient.ts';
import type { StoredPatient } from '../../../core/domain/patient.ts';
import type { Clients } from '../../clients.ts';
import type { Handler } from '../../http/operation.ts';
import { Problem } from '../../http/problems.ts';
import { readStored } from '../current-patient.ts';
import { fhirUrl } from './current-care-records.ts';
import { searchPage } from './search-page.ts';

const insurerOf = ({ INSURER_ID: id, INSURER_IK: iknr }: Clients['config']) => ({ id, iknr });

export const readFhirPatient: Handler<'readFhirPatient'> = async ({ patientRef }, { stores }) => ({
  fhir: patientResource(await readStored(stores, patientRef)),
});

/** Returns an empty Bundle if the person is not stored. */
export const searchFhirPatients: Handler<'searchFhirPatients'> = async ({ patientRef, apiUrl }, { stores }) => {
  const patient = await stores.patients.get(patientRef);
  const found = patient === undefined || patient.standing === 'inquiry' ? [] : [patientResource(patient)];
  // the address of the search would name the person
  return { fhir: searchset(found, fhirUrl(apiUrl), { self: `${fhirUrl(apiUrl)}/Patient/_search` }) };
};

export const readFhirCoverage: Handler<'readFhirCoverage'> = async ({ patientRef }, { stores, config }) => {
  const coverage = coverageResource(await readStored(stores, patientRef), insurerOf(config));
  if (coverage === undefined)
    throw new Problem('patient-unknown', { detail: 'No list has named this person: no insurance is known.' });
  return { fhir: coverage };
};

export const searchFhirCoverages: Handler<'searchFhirCoverages'> = async (
  { patientRef, apiUrl },
  { stores, config },
) => {
  const coverage = coverageResource(await readStored(stores, patientRef), insurerOf(config));
  const self = `${fhirUrl(apiUrl)}/Coverage?patient=${patientRef}`;
  return { fhir: searchset(coverage ? [coverage] : [], fhirUrl(apiUrl), { self }) };
};

export const readFhirEverything: Handler<'readFhirEverything'> = async (call, clients) => {
  const own = (patient: StoredPatient): FhirResource[] => {
    const coverage = coverageResource(patient, insurerOf(clients.config));
    return [patientResource(patient), ...(coverage ? [coverage] : [])];
  };
  return { fhir: await searchPage(call, clients, `Patient/${call.patientRef}/$everything`, () => true, own) };
};
