import type { Coverage, Organization, Patient } from 'fhir/r4.js';
import type { StoredPatient } from '../patient.ts';
import { epaSyncUri, extensions, systems } from './uris.ts';
import { dateOf, fieldsOf, isGiven, periodOf, textOf, unreadable } from './values.ts';

/** What of a stored patient the resources need. */
export type FhirPatient = Pick<StoredPatient, 'patientRef' | 'kvnr' | 'standing' | 'body' | 'revision'>;

/** The insurer as people outside know it. */
export interface Insurer {
  readonly id: string;
  /** Institutionskennzeichen, nine digits */
  readonly iknr?: string | undefined;
}

/**
 * Returns a patient in FHIR R4. Fields that FHIR does not know are left out, and so are values that it does not allow; GET
 * /patients has them all (docs/reference/fhir.md). A provisional patient has an identifier only.
 */
export function patientResource({ patientRef, kvnr, body, revision }: FhirPatient): Patient {
  const { familyName, givenName, birthDate, gender, address } = entryOf(body);
  const [family, given] = [textOf(familyName), textOf(givenName)];
  const places = addressOf(address);
  return {
    resourceType: 'Patient',
    id: patientRef,
    meta: { versionId: String(revision) },
    identifier: [
      {
        use: 'official',
        type: { coding: [{ system: systems.identifierType, code: 'KVZ10' }] },
        system: systems.kvnr,
        value: kvnr,
      },
    ],
    ...((family !== undefined || given !== undefined) && {
      name: [
        { use: 'official', ...(family !== undefined && { family }), ...(given !== undefined && { given: [given] }) },
      ],
    }),
    ...genderOf(gender),
    ...birthDateOf(birthDate),
    ...(places && { address: [{ type: 'both', ...places }] }),
  };
}

/** Returns the insurance of a listed patient; undefined for a provisional one, of whom no list says that they are insured. */
export function coverageResource(patient: FhirPatient, insurer: Insurer): Coverage | undefined {
  const { patientRef, standing, body, revision } = patient;
  if (standing !== 'listed') return undefined;
  const period = periodOf(entryOf(body)['insuredSince']);
  return {
    resourceType: 'Coverage',
    id: patientRef,
    meta: { versionId: String(revision) },
    contained: [insurerResource(insurer)],
    status: 'active', // who is no longer insured is no longer on the list, and is removed
    type: { coding: [{ system: systems.coverageType, code: 'GKV', display: 'gesetzliche Krankenversicherung' }] },
    beneficiary: { reference: `Patient/${patientRef}` },
    ...(period && { period }),
    payor: [{ reference: '#insurer' }],
  };
}

const insurerResource = ({ id, iknr }: Insurer): Organization => ({
  resourceType: 'Organization',
  id: 'insurer',
  identifier: [
    ...(iknr === undefined ? [] : [{ system: systems.iknr, value: iknr }]),
    { system: epaSyncUri('insurer-id'), value: id },
  ],
});

/** Parses an entry of the list. Numbers may change, which no resource has. */
const entryOf = (body: string | undefined): Readonly<Record<string, unknown>> =>
  fieldsOf(body === undefined ? undefined : JSON.parse(body));

/** Official genders of VSDM except male and female, as the extension of HL7 Germany has them. */
const otherGenders: Readonly<Record<string, 'D' | 'X' | undefined>> = { other: 'D', D: 'D', X: 'X' };
const genders: Readonly<Record<string, Patient['gender']>> = { male: 'male', female: 'female', unknown: 'unknown' };

function genderOf(value: unknown): Pick<Patient, 'gender' | '_gender'> {
  if (!isGiven(value)) return {};
  const text = String(value);
  const code = Object.hasOwn(otherGenders, text) ? otherGenders[text] : undefined;
  if (code !== undefined) {
    const valueCoding = { system: systems.officialGender, code, display: code === 'D' ? 'divers' : 'unbestimmt' };
    return { gender: 'other', _gender: { extension: [{ url: extensions.officialGender, valueCoding }] } };
  }
  const gender = Object.hasOwn(genders, text) ? genders[text] : undefined;
  return gender === undefined ? {} : { gender }; // a required binding takes no reason in place of a code
}

function birthDateOf(value: unknown): Pick<Patient, 'birthDate' | '_birthDate'> {
  if (!isGiven(value)) return {};
  const birthDate = dateOf(value);
  return birthDate === undefined ? { _birthDate: unreadable } : { birthDate };
}

function addressOf(value: unknown) {
  const { street, ...rest } = fieldsOf(value);
  const line = textOf(street);
  const [postalCode, city, country] = [textOf(rest['postalCode']), textOf(rest['city']), textOf(rest['country'])];
  const address = {
    ...(line !== undefined && { line: [line] }),
    ...(city !== undefined && { city }),
    ...(postalCode !== undefined && { postalCode }),
    ...(country !== undefined && { country }),
  };
  return Object.keys(address).length === 0 ? undefined : address;
}
