import type { Handler } from '../http/operation.ts';

export const verifyAccessLog: Handler<'verifyAccessLog'> = async ({ patientRef }, { stores }) => ({
  body: await stores.accessLog.verify(patientRef),
});
