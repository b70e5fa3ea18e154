import type { Handler } from './operation.ts';

export const cancelSync: Handler<'cancelSync'> = async ({ body, actor }, { dailySync }) => {
  await dailySync.cancel({ operator: actor.who, reason: body.reason });
  return { body: { state: 'cancelling' } };
};
