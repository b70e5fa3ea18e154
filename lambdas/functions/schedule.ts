import { clientsOfContainer } from '../clients.ts';
import { logger, traced } from '../observability.ts';

/** Starts the daily run for the schedule. Throws on failure, so that Lambda retries it and then writes to the queue. */
export async function handler(): Promise<void> {
  const { runId, joined } = await traced('schedule', async () => (await clientsOfContainer()).dailySync.start());
  logger.info('started by the schedule', { runId, joined });
}
