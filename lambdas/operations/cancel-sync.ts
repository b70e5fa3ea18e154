import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const cancelSync: Handler<'cancelSync'> = async ({ body, actor }, { dailySync }) => {
  await dailySync.cancel({ operator: agentLabel(actor), reason: body.reason });
  return { body: { state: 'cancelling' } };
};
