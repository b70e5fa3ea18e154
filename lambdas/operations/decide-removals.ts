import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const decideRemovals: Handler<'decideRemovals'> = async ({ body, actor }, { dailySync }) => ({
  body: await dailySync.decideRemovals({ ...body, operator: agentLabel(actor) }),
});
