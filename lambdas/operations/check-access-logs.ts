import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const checkAccessLogs: Handler<'checkAccessLogs'> = async (_call, { accessLogCheck }) => {
  await accessLogCheck.start().catch((cause: unknown) => {
    throw new Problem('unavailable', {}, { cause });
  });
  return { body: { state: 'running' } };
};
