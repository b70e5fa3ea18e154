import type { ScheduleEvent } from '../../core/contract/schedule-event.ts';
import { clientsOfContainer } from '../clients.ts';
import { logger, traced } from '../observability.ts';

/** Starts something for a schedule. Throws on failure, so that Lambda retries it and then writes to the queue. */
export async function handler({ start }: ScheduleEvent = {}): Promise<void> {
  if (start === 'access-log-check') {
    await traced('schedule', async () => (await clientsOfContainer()).accessLogCheck.start());
    logger.info('check of the access logs started by the schedule');
    return;
  }
  const { runId, joined } = await traced('schedule', async () => (await clientsOfContainer()).dailySync.start());
  logger.info('started by the schedule', { runId, joined });
}
