import { z } from 'zod';
import { runFailures } from './progress.ts';

/** Version of all events. Only a change that breaks readers of one raises its own (docs/adr/0074). */
const version = 1;

const moment = z.iso.datetime();
const count = z.int().nonnegative();

const patient = z.object({
  patientRef: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .meta({ description: 'pseudonym, as in GET /patients/{patientRef}' }),
  careVersion: z.string().optional().meta({
    description: 'version of the care records after the change; absent if there are none, or the patient is removed',
  }),
});

const run = z.object({
  runId: z.string(),
  startedAt: moment,
  finishedAt: moment.optional(),
  patients: z.object({ listed: count, new: count, changed: count, removed: count, quarantined: count }),
  careRecords: z.object({ total: count, done: count, failed: count, notInsured: count }),
});

const by = z.enum(['operator', 'system']).meta({ description: 'who has done it; never a name' });

/** An event: what has happened, and what its `data` holds. */
export interface EventKind {
  readonly description: string;
  readonly data: z.ZodObject;
}

/** All events (docs/reference/events.md). The part before the dot names the stream of an event: its order is that of the stream. */
export const eventKinds = {
  'patient.imported': { description: 'A patient can be read from now on.', data: patient },
  'patient.changed': {
    description: 'The list entry of a patient is another one, or a provisional patient has one now.',
    data: patient,
  },
  'patient.removed': { description: 'A patient can no longer be read.', data: patient },
  'patient.care-records-updated': { description: 'A patient has a new version of the care records.', data: patient },
  'run.completed': { description: 'A run is completed.', data: run },
  'run.completed-with-problems': {
    description: 'A run is completed, but too much of what came was unreadable.',
    data: run,
  },
  'run.failed': {
    description: 'A run has failed.',
    data: run.extend({ failure: z.enum(runFailures).optional() }),
  },
  'run.cancelled': { description: 'An operator has cancelled a run.', data: run },
  'run.decision-awaited': {
    description: 'A run would remove more patients than the limit allows, and waits for an operator.',
    data: z.object({
      runId: z.string(),
      listId: z.string().meta({ description: 'names the question, as in POST /sync/removals' }),
      kind: z.enum(['list', 'not-insured']),
      removals: count.meta({ description: 'patients that an approval removes' }),
      stored: count.meta({ description: 'patients that were stored before' }),
      waitingSince: moment,
    }),
  },
  'line.paused': {
    description: 'The line is paused, or the end of its pause is another one.',
    data: z.object({
      by,
      since: moment,
      until: moment.optional().meta({ description: 'when it opens by itself; absent if it waits for a resume' }),
    }),
  },
  'line.resumed': { description: 'The line is open again.', data: z.object({ by, at: moment }) },
  'line.cooling-down': {
    description: 'Nothing is sent for a while. An operator may lift the cooldown earlier.',
    data: z.object({ reason: z.enum(['retry-after', 'busy', 'outage']), since: moment, until: moment }),
  },
} as const satisfies Readonly<Record<string, EventKind>>;

export type EventName = keyof typeof eventKinds;

/** The CloudEvents `type` of an event, and its `detail-type` on the bus. */
export const eventTypeOf = (name: EventName): string => `epa-sync.${name}.v${version}`;

/** `source` of all events on the bus. */
export const busSource = 'epa-sync';

/** Returns the schema of an event as it is in `detail`: CloudEvents 1.0 in JSON, with the extension `sequence`. */
export const eventSchemaOf = (name: EventName): z.ZodObject =>
  z.object({
    specversion: z.literal('1.0'),
    id: z.string().meta({ description: 'the same if an event comes twice' }),
    source: z.string().regex(/^\/[^/]+\/[^/]+\/(patient|run|line)$/),
    type: z.literal(eventTypeOf(name)),
    subject: z.string().meta({ description: 'patientRef, runId, or the insurer of the line' }),
    time: moment.meta({ description: 'when it happened, to the second' }),
    datacontenttype: z.literal('application/json'),
    dataschema: z.literal(schemaUriOf(name)),
    sequence: z.string().meta({ description: 'of two events of one subject, the later one has the greater text' }),
    data: eventKinds[name].data,
  });

const schemaUriOf = (name: EventName): string => `urn:epa-sync:event:${name}:v${version}`;

/** Returns the JSON Schema of an event (draft 2020-12). */
export const jsonSchemaOf = (name: EventName): object => ({
  $id: schemaUriOf(name),
  title: eventTypeOf(name),
  description: eventKinds[name].description,
  ...z.toJSONSchema(eventSchemaOf(name), { io: 'input' }), // readers ignore fields that they do not know
});

/** Something that has happened, before it is an event on the bus. */
export type Fact = {
  readonly [Name in EventName]: {
    readonly name: Name;
    /** patientRef, runId or insurerId */
    readonly subject: string;
    readonly data: z.infer<(typeof eventKinds)[Name]['data']>;
  };
}[EventName];

/** An event as it is in `detail` on the bus. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** ISO 8601 UTC, to the second */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly dataschema: string;
  readonly sequence: string;
  readonly data: object;
}

/** Where and when a fact was written: one record of a table's stream. */
export interface WrittenAt {
  /** unique among all records, and the same if it is read again */
  readonly recordId: string;
  /** number of at most 40 digits, which grows with each write of an item */
  readonly sequenceNumber: string;
  /** ISO 8601 UTC */
  readonly at: string;
}

const sequenceDigits = 40; // the longest that DynamoDB has (API reference, StreamRecord)

/**
 * Returns the events of one write, in order. The same write always gives the same events, so that readers can drop what
 * comes twice.
 * @param owner `{deployment}/{insurerId}`
 */
export const eventsOf = (facts: readonly Fact[], written: WrittenAt, owner: string): readonly CloudEvent[] =>
  facts.map(({ name, subject, data }, index) => ({
    specversion: '1.0',
    id: `${written.recordId}-${name}`,
    source: `/${owner}/${name.slice(0, name.indexOf('.'))}`,
    type: eventTypeOf(name),
    subject,
    time: written.at,
    datacontenttype: 'application/json',
    dataschema: schemaUriOf(name),
    sequence: `${written.sequenceNumber.padStart(sequenceDigits, '0')}-${index}`,
    data,
  }));
