import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Handler } from '../http/operation.ts';

export const requestPatientSync: Handler<'requestPatientSync'> = async (call, { patientRecord, insurerLine }) => {
  const { patientRef, body, accessDraft } = call;
  const kvnr = 'kvnr' in body ? (body.kvnr as Kvnr) : undefined;
  const [{ syncId, state, requestedAt }, line] = await Promise.all([
    patientRecord.requestSync({ patientRef, kvnr, access: accessDraft() }),
    insurerLine.read().catch(() => undefined), // the sync is promised even if the line cannot be read
  ]);
  return { body: { patientRef, syncId, state, requestedAt, ...(line && { line }) }, isRecorded: true };
};
