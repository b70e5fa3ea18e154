import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const setPace: Handler<'setPace'> = async ({ body, actor }, { insurerLine }) => {
  const { requestsPerMinute, reason } = body;
  const command = { operator: agentLabel(actor), reason, requestsPerMinute: requestsPerMinute ?? undefined };
  return { body: await insurerLine.setPace(command) };
};
