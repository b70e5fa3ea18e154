import { lookUpPatient } from '../look-up-patient.ts';
import { readDocument } from '../read-document.ts';
import { readLastSync } from '../read-last-sync.ts';
import { readPatient } from '../read-patient.ts';
import { requestPatientSync } from '../request-patient-sync.ts';
import { serve } from '../serve.ts';

export const handler = serve('patients', {
  lookUpPatient,
  readPatient,
  requestPatientSync,
  readLastSync,
  readDocument,
});
