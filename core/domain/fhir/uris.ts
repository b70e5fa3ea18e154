/**
 * Returns the URI of our own code systems, identifiers and extensions. FHIR allows any URI. A URN, because a deployment has
 * an address of its own; its API serves the definitions (docs/reference/fhir.md).
 */
export const epaSyncUri = (name: string): string => `urn:epa-sync:${name}`;

/** Systems of others, with the place where each is defined. */
export const systems = {
  /** HL7 Germany, de.basisprofil.r4 */
  kvnr: 'http://fhir.de/sid/gkv/kvid-10',
  iknr: 'http://fhir.de/sid/arge-ik/iknr',
  identifierType: 'http://fhir.de/CodeSystem/identifier-type-de-basis',
  coverageType: 'http://fhir.de/CodeSystem/versicherungsart-de-basis',
  officialGender: 'http://fhir.de/CodeSystem/gender-amtlich-de',
  icd10Gm: 'http://fhir.de/CodeSystem/bfarm/icd-10-gm',
  /** KBV, KBV_PR_Base_Organization */
  bsnr: 'https://fhir.kbv.de/NamingSystem/KBV_NS_Base_BSNR',
  /** HL7 */
  identifierTypeV2: 'http://terminology.hl7.org/CodeSystem/v2-0203',
} as const;

export const extensions = {
  officialGender: 'http://fhir.de/StructureDefinition/gender-amtlich-de',
  dataAbsentReason: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
} as const;
