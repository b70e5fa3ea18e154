import { quietStatusOf } from '../../core/domain/line-status.ts';
import type { Handler } from '../http/operation.ts';

export const readLine: Handler<'readLine'> = async (_call, { insurerLine, config }) => {
  const [line, changes] = await Promise.all([insurerLine.read(), insurerLine.readChanges()]);
  return { body: { ...line, ...quietStatusOf(config.LINE_QUIET_HOURS, Date.now()), changes } };
};
