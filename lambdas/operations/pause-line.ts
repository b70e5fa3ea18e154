import { calledBy } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';

export const pauseLine: Handler<'pauseLine'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.pause({ operator: calledBy(actor), reason: body.reason }),
});
