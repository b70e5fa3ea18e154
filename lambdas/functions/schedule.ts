import { clientsOfContainer } from '../clients.ts';
import { logger, traced } from '../observability.ts';

/** Starts the day's sync; nobody asks for it but the schedule. Throws what failed: Lambda tries again, then tells the queue. */
export async function handler(): Promise<void> {
  const { runId, joined } = await traced('schedule', async () => (await clientsOfContainer()).dailySync.start());
  logger.info('started by the schedule', { runId, joined });
}
