import type { Handler } from '../http/operation.ts';

export const startSync: Handler<'startSync'> = async (_call, { dailySync }) => {
  const { runId } = await dailySync.start();
  return { body: { runId } };
};
