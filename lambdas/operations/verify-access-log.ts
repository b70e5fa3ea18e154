import { verifyPerson } from '../../core/domain/access-log.ts';
import { refsOfPerson } from '../../core/stores/linked-access-logs.ts';
import type { Handler } from '../http/operation.ts';
import { recordLinked } from './read-access-log.ts';

export const verifyAccessLog: Handler<'verifyAccessLog'> = async (call, clients) => {
  const { accessLog } = clients.stores;
  const now = new Date(); // one moment for all logs
  const patientRefs = await refsOfPerson(accessLog, call.patientRef);
  await recordLinked(patientRefs, call, clients);
  const logs = await Promise.all(
    patientRefs.map(async (patientRef) => ({ patientRef, ...(await accessLog.verify(patientRef, now)) })),
  );
  return { body: verifyPerson(logs) };
};
