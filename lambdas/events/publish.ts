import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { busSource, type CloudEvent } from '../../core/domain/event.ts';

/** Limit of PutEvents (EventBridge API reference). Ten of our events are some kilobytes, of 256 KB that it takes. */
const entriesMax = 10;

/** The bus has refused an event, and the ones after it were not sent. */
export class EventRefused extends Error {
  override readonly name = 'EventRefused';
  /** such as `ThrottlingException` */
  readonly code: string | undefined;
  constructor(code: string | undefined) {
    super('the bus has refused an event');
    this.code = code;
  }
}

/**
 * Publishes events in order. If the bus takes only some of a call, it goes on from the first one that was refused, so that
 * no event is published only before an earlier one.
 * @throws EventRefused if the bus refuses the first event of a call; errors of the client
 */
export async function publish(
  bridge: Pick<EventBridgeClient, 'send'>,
  bus: string,
  events: readonly CloudEvent[],
): Promise<void> {
  for (let published = 0; published < events.length; ) {
    const batch = events.slice(published, published + entriesMax);
    const command = new PutEventsCommand({
      Entries: batch.map((event) => ({
        EventBusName: bus,
        Source: busSource,
        DetailType: event.type,
        Time: new Date(event.time),
        Detail: JSON.stringify(event),
      })),
    });
    const { Entries = [] } = await bridge.send(command);
    const refused = batch.findIndex((_, index) => Entries[index]?.EventId === undefined);
    if (refused === 0) throw new EventRefused(Entries[0]?.ErrorCode);
    published += refused === -1 ? batch.length : refused;
  }
}
