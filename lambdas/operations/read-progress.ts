import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const readProgress: Handler<'readProgress'> = async (_call, { dailySync }) => {
  const progress = await dailySync.readProgress();
  if (progress === undefined) throw new Problem('no-run-yet');
  return { body: progress };
};
