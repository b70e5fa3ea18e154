import type { Handler } from './operation.ts';

export const resumeLine: Handler<'resumeLine'> = async ({ body, actor }, { insurerLine }) => ({
  body: await insurerLine.resume({ operator: actor.who, reason: body.reason }),
});
