import { quietStatusOf } from '../../core/domain/line-status.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const readProgress: Handler<'readProgress'> = async (_call, { dailySync, config }) => {
  const progress = await dailySync.readProgress();
  if (progress === undefined) throw new Problem('no-run-yet');
  return { body: { ...progress, line: { ...progress.line, ...quietStatusOf(config.LINE_QUIET_HOURS, Date.now()) } } };
};
