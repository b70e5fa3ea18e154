import type { Kvnr } from '../../core/domain/kvnr.ts';
import { quietStatusOfPeople } from '../../core/domain/line-status.ts';
import type { Handler } from '../http/operation.ts';

export const requestPatientSync: Handler<'requestPatientSync'> = async (
  call,
  { patientRecord, insurerLine, config },
) => {
  const { patientRef, body, accessDraft } = call;
  const kvnr = 'kvnr' in body ? (body.kvnr as Kvnr) : undefined;
  const [{ syncId, state, requestedAt }, line] = await Promise.all([
    patientRecord.requestSync({ patientRef, kvnr, access: accessDraft() }),
    insurerLine.read().catch(() => undefined), // the sync is promised even if the line cannot be read
  ]);
  const lineNow = line && { line: { ...line, ...quietStatusOfPeople(config, Date.now()) } };
  return { body: { patientRef, syncId, state, requestedAt, ...lineNow }, isRecorded: true };
};
