import { serve } from '../http/serve.ts';
import { searchFhirAuditEvents } from '../operations/fhir/audit-events.ts';
import { readFhirBinary } from '../operations/fhir/binary.ts';
import {
  readFhirDocument,
  readFhirEpisode,
  searchFhirDocuments,
  searchFhirEpisodes,
} from '../operations/fhir/care-records.ts';
import { readFhirCodeSystem, readFhirMetadata, readFhirStructureDefinition } from '../operations/fhir/definitions.ts';
import {
  readFhirCoverage,
  readFhirEverything,
  readFhirPatient,
  searchFhirCoverages,
  searchFhirPatients,
} from '../operations/fhir/patients.ts';

export const handler = serve('fhir', {
  readFhirMetadata,
  readFhirStructureDefinition,
  readFhirCodeSystem,
  readFhirPatient,
  searchFhirPatients,
  readFhirEverything,
  readFhirCoverage,
  searchFhirCoverages,
  readFhirEpisode,
  searchFhirEpisodes,
  readFhirDocument,
  searchFhirDocuments,
  readFhirBinary,
  searchFhirAuditEvents,
});
