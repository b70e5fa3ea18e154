import type { Handler } from '../http/operation.ts';

export const readAccessLogCheck: Handler<'readAccessLogCheck'> = async (_call, { stores, config }) => {
  const check = await stores.accessLogChecks.read(config.INSURER_ID);
  return { body: check === undefined ? {} : { check } };
};
