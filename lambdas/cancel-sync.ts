import { logger } from './observability.ts';
import type { Handler } from './operation.ts';

export const cancelSync: Handler<'cancelSync'> = async ({ body, actor }, { dailySync }) => {
  await dailySync.cancel();
  logger.info('run cancelled', { by: actor.who, reason: body.reason });
  return { body: { state: 'cancelling' } };
};
