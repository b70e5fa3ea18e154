import { z } from 'zod';
import { remoteApi } from '../cli/api-client.ts';
import { apiSettings, insurerSecrets, settingTopics, sharedSecrets, workerSettings } from '../core/config.ts';
import { apiContext, consoleContext, workerContext } from '../infra/settings.ts';
import { localSettings, type Ports, portsFrom } from '../local/settings.ts';

type Shape = Readonly<Record<string, z.ZodType>>;
type Row = readonly string[];

const deployed: Shape = { ...apiContext.shape, ...workerContext.shape, ...consoleContext.shape };
const topics: Readonly<Record<string, { readonly shape: Shape }>> = settingTopics;
const topical: Shape = Object.assign({}, ...Object.values(topics).map(({ shape }) => shape));
const deployedOnly: Shape = Object.fromEntries(Object.entries(deployed).filter(([name]) => !(name in topical)));

/** The stacks know these themselves (infra/stacks/). */
const setByStacks = ['DEPLOYMENT', 'AWS_REGION', 'BUCKET_NAME', 'PAYLOAD_KMS_KEY', 'WORKER_BUILD_ID', 'HEALTH_PORT'];
const secrets: readonly string[] = [...sharedSecrets, ...insurerSecrets];

const readers: Readonly<Record<string, readonly Shape[]>> = {
  workers: [workerSettings.shape, workerContext.shape],
  API: [apiSettings.shape, apiContext.shape],
  console: [consoleContext.shape],
};

function sourceInAws(name: string): string {
  if (name in deployed) return 'context';
  if (secrets.includes(name)) return 'secret';
  return setByStacks.includes(name) ? 'stacks' : '–';
}

const readersOf = (name: string): string =>
  Object.keys(readers)
    .filter((reader) => readers[reader]?.some((shape) => name in shape))
    .join(', ');

interface Described {
  readonly description?: string;
  readonly unit?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
}

const describe = (schema: z.ZodType, io: 'input' | 'output'): Described =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Described;

/** Groups the digits of a number: `10 000`. */
const grouped = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ' ');

function defaultOf(schema: z.ZodType, isRequired: boolean): string {
  const { default: value } = describe(schema, 'input');
  if (typeof value === 'number') return grouped(value);
  if (typeof value === 'string' && value !== '') return `\`${value}\``;
  return isRequired ? 'required' : 'none';
}

/** Returns the allowed values. A rule that JSON Schema cannot express comes from the message for a wrong value. */
function limitsOf(schema: z.ZodType): string {
  const { type, format, minimum, maximum, minLength = 0, enum: values } = describe(schema, 'input');
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  if (describe(schema, 'output').type === 'boolean') return '`true`, `false`';
  if (type === 'integer' && minimum !== undefined && maximum !== undefined)
    return `whole number, ${grouped(minimum)} to ${grouped(maximum)}`;
  if (type === 'number' && minimum !== undefined && maximum !== undefined)
    return `${grouped(minimum)} to ${grouped(maximum)}`;
  if (format === 'uri') return 'http or https URL';
  const issues = ['\0', 'AAAA'].flatMap((text) => schema.safeParse(text).error?.issues ?? []);
  const rule = issues.find(({ message }) => message.startsWith('is '))?.message.slice('is '.length);
  if (rule !== undefined) return rule;
  if (issues.some(({ message }) => message === 'Invalid URL')) return 'http or https URL';
  return minLength > 1 ? `${minLength} characters or more` : '';
}

/** @throws Error if a variable has no description, because the page would have a gap */
function factsOf(name: string, schema: z.ZodType): Row {
  const { description, unit = '' } = describe(schema, 'input');
  if (description === undefined)
    throw new Error(`${name} has no description: add .meta({ description }) to its schema`);
  const isRequired = !schema.safeParse(undefined).success;
  return [`\`${name}\``, description, unit, defaultOf(schema, isRequired), limitsOf(schema)];
}

const table = (head: Row, rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const facts = ['variable', 'meaning', 'unit', 'default', 'limits'];
const topicTable = (shape: Shape): string =>
  table(
    [...facts, 'read by', 'in AWS'],
    Object.entries(shape).map(([name, schema]) => [...factsOf(name, schema), readersOf(name), sourceInAws(name)]),
  );
const plainTable = (shape: Shape): string =>
  table(
    facts,
    Object.entries(shape).map(([name, schema]) => factsOf(name, schema)),
  );

const partNames: Readonly<Record<keyof Ports, string>> = {
  temporal: 'Temporal',
  temporalUi: 'Temporal UI',
  emulator: 'AWS emulator',
  console: 'console',
  insurer: 'insurer (simulator)',
  insurerControl: 'control port of the simulator',
  issuer: 'OIDC issuer',
};
const ports = Object.entries(portsFrom(0)).map(([part, offset]) => [
  partNames[part as keyof Ports],
  `\`PORT_BASE\` + ${offset}`,
]);

/** Variables that no schema reads. */
const others: readonly Row[] = [
  ['`AWS_ENDPOINT_URL`', 'AWS emulator that `npm start -- --external` uses.', 'that of `docker-compose.yml`'],
  ['`TEMPORAL_ADDRESS`', 'Temporal that `npm start -- --external` uses.', 'that of `docker-compose.yml`'],
  ['`TEMPORAL_NAMESPACE`', 'Its namespace.', '`default`'],
  [
    '`LAMBDA_TEMPORAL_ADDRESS`',
    'Address of the same Temporal as the Lambdas see it, for `npm start -- --external`.',
    '`TEMPORAL_ADDRESS`; without it, that inside the network of `docker-compose.yml`',
  ],
  [
    '`TEMPORAL_CLI_PATH`',
    'Temporal CLI that runs the dev server: version 1.5 or newer.',
    '`temporal` on the `PATH` if it is new enough; else the one installed into `LOCAL_DIR`',
  ],
  ['`CHROMIUM_PATH`', 'Browser of the browser tests.', '`/usr/bin/chromium`'],
];

/**
 * Returns docs/reference/configuration.md. The schemas hold every fact about a variable; this holds the prose. The list of
 * what `npm start` passes on to the API repeats `forwarded` in local/dev-environment.ts.
 */
export const configurationPage =
  (): string => `<!-- Generated by \`npm run docs\` from core/config.ts, infra/settings.ts and local/. Do not edit. -->
# Configuration

Every process reads its environment variables once, when it starts. If a value is wrong, the process
does not start. The error names all wrong variables together and never shows a value. A variable that
is set to nothing counts as not set.

## How a deployment is configured

In AWS, the column "in AWS" says where a value comes from:

- **context**: an entry for the stage or the deployment in \`cdk.json\`, or \`-c NAME=value\`. A deployment
  that lacks a required entry is rejected before it begins. None of these values is secret.
- **secret**: Secrets Manager. [\`npm run secret\`](cli.md#npm-run-secret) writes it. No template
  holds it.
- **stacks**: the stacks set it themselves.
- **–**: not used in AWS.

The stage itself is context too: \`-c stage=prod\`, \`dev\` or \`local\`. The default is \`prod\`. So is the
name of the [deployment](../operations/second-insurer.md): \`-c deployment=kk-nord\`. On a laptop,
\`npm start\` sets the required variables; [On a laptop only](#on-a-laptop-only) lists what you can change.

"Read by" names the parts that a variable reaches: the workers, the API (Lambdas and their stack),
the console (its stack).

${Object.entries(topics)
  .map(([topic, { shape }]) => `## ${topic}\n\n${topicTable(shape)}${topic in notes ? `\n\n${notes[topic]}` : ''}`)
  .join('\n\n')}

## In AWS only

These exist only as context.

${topicTable(deployedOnly)}

## On a laptop only

\`npm start\`, \`npm run worker\`, \`npm run token\` and \`npm run sync\` read these.

${plainTable({ ...localSettings.shape, ...remoteApi.shape })}

The ports of a stack:

${table(['part', 'port'], ports)}

\`npm start\` passes its environment on to the worker. It also passes these on to the API:
\`SYNC_WINDOW\`, \`CARE_MAX_ATTEMPTS\`, \`CARE_REFRESH_AFTER_DAYS\`, \`REMOVAL_LIMIT_PERCENT\`,
\`UNREADABLE_LIMIT_PERCENT\`, \`LINE_QUIET_HOURS\`, \`SYNC_HOUR\`, \`RUN_DUE_HOUR\` and the \`OTEL_\` variables of "Traces".

Further variables that only commands of a laptop read:

${table(['variable', 'meaning', 'default'], others)}

The simulator of the insurer has [settings of its own](../../simulator/README.md). The variables of
the benchmarks, the simulation and the chaos suite are in [cli.md](cli.md).
`;

/** Prose below the table of a topic. */
const notes: Readonly<Record<string, string>> = {
  Traces: `\`OTEL_EXPORTER_OTLP_HEADERS\` holds the headers that the collector asks for, as \`name=value\`,
comma-separated. It is a secret, and the exporter of the OpenTelemetry SDK reads it itself.`,
};
