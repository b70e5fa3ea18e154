import { prepareIfKeptReady } from '../clients.ts';
import { serve } from '../http/serve.ts';
import { lookUpPatient } from '../operations/look-up-patient.ts';
import { readDocument } from '../operations/read-document.ts';
import { readLastSync } from '../operations/read-last-sync.ts';
import { readPatient } from '../operations/read-patient.ts';
import { requestPatientSync } from '../operations/request-patient-sync.ts';
import { searchPatients } from '../operations/search-patients.ts';

await prepareIfKeptReady(process.env);

export const handler = serve('patients', {
  lookUpPatient,
  searchPatients,
  readPatient,
  requestPatientSync,
  readLastSync,
  readDocument,
});
