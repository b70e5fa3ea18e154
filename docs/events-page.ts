import { z } from 'zod';
import { type EventName, eventKinds, eventTypeOf } from '../core/domain/event.ts';

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Property>>;
}

const typeOf = ({ type = '', format, enum: values, properties }: Property): string => {
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (format === 'date-time') return 'ISO 8601 UTC';
  return properties
    ? Object.keys(properties)
        .map((name) => `\`${name}\``)
        .join(', ')
    : type;
};

function fieldsOf(name: EventName): string {
  const { properties = {}, required = [] } = z.toJSONSchema(eventKinds[name].data, { io: 'input' }) as {
    properties?: Readonly<Record<string, Property>>;
    required?: readonly string[];
  };
  const rows = Object.entries(properties).map(([field, property]) => {
    const { description = '' } = property;
    return `| \`${field}\` | ${typeOf(property)} | ${required.includes(field) ? 'always' : 'optional'} | ${description} |`;
  });
  return `| Field of \`data\` | Values | Present | Meaning |\n|---|---|---|---|\n${rows.join('\n')}`;
}

/** Returns the text of docs/reference/events.md. */
export const eventsPage =
  (): string => `<!-- Generated from core/domain/event.ts by \`npm run docs\`. Change it there. -->

# Events

epa-sync publishes these events on an EventBridge bus. [Receive events](../guides/events.md)
shows how a team attaches a queue, a Lambda or an API destination.
[ADR 0074](../adr/0074-events-from-the-streams-of-the-tables.md) gives the reasons.

The bus has the name of the deployment (\`EventBusName\` of the data stack). Events on it have the source
\`epa-sync\`. Their \`detail-type\` is the type below. Their \`detail\` is the event: JSON of CloudEvents 1.0
with the extension \`sequence\`. [docs/events/](../events) has a JSON Schema of each.

| Attribute | Content |
|---|---|
| \`specversion\` | \`1.0\` |
| \`id\` | the same if an event comes twice; unique within \`source\` |
| \`source\` | \`/{deployment}/{insurerId}/patient\`, \`…/run\` or \`…/line\` |
| \`type\` | as below; ends with the version |
| \`subject\` | \`patientRef\`, \`runId\`, or the insurer of the line |
| \`time\` | when it happened, ISO 8601 UTC, to the second |
| \`datacontenttype\` | \`application/json\` |
| \`dataschema\` | names the schema: \`$id\` of its file |
| \`sequence\` | text; of two events of one \`source\` and \`subject\`, the later one has the greater text |
| \`data\` | as below |

## What is promised

| Promise | How |
|---|---|
| No event is lost if a process, a Lambda or the bus fails. | The database itself keeps each write for the Lambda \`events\`, for 24 hours, until the bus has taken its events. |
| An event may come twice. Its \`id\`, \`sequence\` and content are the same then. | All are computed from the write. |
| The order of one subject can be restored. | \`sequence\`. EventBridge does not keep the order in which it delivers. |
| An event names nobody. | It holds pseudonyms, counts, times and fixed words. It holds no name and no reason of an operator. |

The limits:

- If the Lambda fails for 23 hours, events are lost, and the alarm *events lost* says so.
- What a rule does not deliver within its own retry policy is the business of that rule. Give it a
  queue of failures.
- \`sequence\` is the number of the write in the stream of its table. If a table is restored from a
  backup, its stream is a new one. Numbers from before and after that cannot be compared. AWS does not
  state that numbers grow when it divides a partition, but delivers the writes of an item in order.
- Events begin with the deployment that introduced them. Patients of before have no \`imported\`.

## Versions

A new optional field, or a new event, does not change the version, so ignore what you do not know. Any
other change gives the event a new type, which ends with \`.v2\`. Both are published for at least six
months.

${(Object.keys(eventKinds) as EventName[])
  .map((name) => {
    const type = eventTypeOf(name);
    return `## ${type}\n\n${eventKinds[name].description} [Schema](../events/${type}.json)\n\n${fieldsOf(name)}\n`;
  })
  .join('\n')}`;
