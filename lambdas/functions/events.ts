import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { z } from 'zod';
import { readConfig } from '../../core/config.ts';
import { eventsOf } from '../../core/domain/event.ts';
import { promptly } from '../../core/stores/open-stores.ts';
import { publish } from '../events/publish.ts';
import { factsOf, recordsOf, writtenAt } from '../events/stream-record.ts';
import { metrics } from '../observability.ts';

const settings = z.object({
  AWS_REGION: z.string().min(1),
  DEPLOYMENT: z.string().min(1),
  INSURER_ID: z.string().min(1),
  EVENT_BUS_NAME: z.string().min(1),
});
const {
  AWS_REGION: region,
  DEPLOYMENT,
  INSURER_ID: insurerId,
  EVENT_BUS_NAME: bus,
} = readConfig(settings, process.env);
const bridge = new EventBridgeClient({ region, ...promptly });

/**
 * Publishes what the streams of Patients, SyncRuns and Line report. Throws if the bus has not taken everything, so that
 * Lambda repeats the batch. Its events have the same IDs then.
 */
export async function handler(event: unknown): Promise<void> {
  const owner = `${DEPLOYMENT}/${insurerId}`;
  const events = recordsOf(event).flatMap((record) => eventsOf(factsOf(record, insurerId), writtenAt(record), owner));
  if (events.length === 0) return;
  await publish(bridge, bus, events);
  metrics.emit({ EventsPublished: events.length });
}
