import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const pauseLine: Handler<'pauseLine'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.pause({ operator: agentLabel(actor), reason: body.reason, until: body.until }),
});
