import type { Handler } from './operation.ts';

export const decideRemovals: Handler<'decideRemovals'> = async ({ body, actor }, { dailySync }) => ({
  body: await dailySync.decideRemovals({ decision: body.decision, operator: actor.who }),
});
