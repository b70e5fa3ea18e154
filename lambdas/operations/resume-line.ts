import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const resumeLine: Handler<'resumeLine'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.resume({ operator: agentLabel(actor), reason: body.reason }),
});
