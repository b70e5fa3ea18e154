import type { Handler } from './operation.ts';

export const pauseLine: Handler<'pauseLine'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.pause({ operator: actor.who, reason: body.reason }),
});
