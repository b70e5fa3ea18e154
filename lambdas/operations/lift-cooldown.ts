import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const liftCooldown: Handler<'liftCooldown'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.liftCooldown({ operator: agentLabel(actor), reason: body.reason }),
});
