import type { Handler } from './operation.ts';

export const verifyAccessLog: Handler<'verifyAccessLog'> = async ({ patientRef }, { stores }) => ({
  body: await stores.accessLog.verify(patientRef),
});
