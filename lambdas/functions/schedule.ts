import { clientsOfContainer } from '../clients.ts';
import { logger } from '../observability.ts';

/** Starts the day's sync; nobody asks for it but the schedule. Throws what failed: Lambda tries again, then tells the queue. */
export async function handler(): Promise<void> {
  const { dailySync } = await clientsOfContainer();
  const { runId, joined } = await dailySync.start();
  logger.info('started by the schedule', { runId, joined });
}
