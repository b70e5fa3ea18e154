import { findPeople } from '../../core/stores/find-people.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';
import { metrics } from '../observability.ts';

/** Finds people by birth date and the beginning of a name. Each hit is an access to that person's data, and recorded before the answer (ADR 0076). */
export const searchPatients: Handler<'searchPatients'> = async (
  { body: search, actor, accessDraft },
  { stores, config, patientRecord },
) => {
  const retryAfterSeconds = await stores.searchLimits.count(config.INSURER_ID, actor.who, Date.now());
  if (retryAfterSeconds !== undefined)
    throw new Problem('too-many-requests', {
      detail: 'You have searched very often. If you know the KVNR, look the person up with it.',
      retryAfterSeconds,
    });
  const hits = await findPeople(stores.patients, search, Buffer.from(config.PSEUDONYM_KEY, 'base64'));
  if (hits !== undefined)
    await Promise.all(hits.map(async ({ patientRef }) => await patientRecord.recordAccess(accessDraft(patientRef))));
  metrics.emit({ PatientSearches: 1, PatientsFound: hits?.length ?? 0 });
  return { body: hits === undefined ? { hits: [], tooMany: true } : { hits } };
};
