import { randomUUID } from 'node:crypto';
import type { AccessDraft } from '../core/domain/access.ts';

/** Returns an access entry of a clinician, as the API would write it now. */
export const draftFor = (patientRef: string, operation: AccessDraft['operation'] = 'request-sync'): AccessDraft => ({
  id: randomUUID(),
  patientRef,
  recorded: new Date().toISOString(),
  operation,
  outcome: 'success',
  agent: { who: 'clara', role: 'clinician' },
  source: { component: 'api' },
});
