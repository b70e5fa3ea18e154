import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { defaultDeployment, deploymentMaxLength, deploymentPattern } from './contract/deployment.ts';
import { paceMax } from './domain/gate.ts';
import { quietHoursProblem } from './domain/quiet-hours.ts';

// Each schema holds the meaning and the unit of its variable. `npm run docs` writes docs/reference/configuration.md from them.
const milliseconds = (fallback: number, min: number, max: number, description: string) =>
  z.coerce.number().int().min(min).max(max).default(fallback).meta({ description, unit: 'ms' });

const hour = (fallback: number, description: string) =>
  z.coerce
    .number()
    .int()
    .min(0)
    .max(23)
    .refine((number) => number !== 2, 'is 2, which the last Sunday of March does not have: summer time skips it')
    .default(fallback)
    .meta({ description: `${description} Not 2: summer time skips that hour.`, unit: 'hour' });

const elementsOf = (list: string): string[] =>
  list
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
/** Splits a comma-separated list. Blanks and empty elements are dropped. */
const commaSeparated = z.string().default('').transform(elementsOf);

const kmsKeyArn = z.string().regex(/^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/, 'is the ARN of a KMS key');

/** A bearer token: visible ASCII characters, as a header allows them (RFC 6750, 2.1). */
export const insurerToken = z
  .string()
  .min(1)
  .regex(/^[\x21-\x7e]*$/, 'has a line break, a space or another character that no header may have');

const isReadable = (read: () => unknown): boolean => {
  try {
    read();
    return true;
  } catch {
    return false;
  }
};

const insurerCertificate = z
  .string()
  .refine((pem) => isReadable(() => new X509Certificate(pem)), 'is a certificate in PEM')
  .optional();

/** Returns whether a text is the address of a proxy, with or without user and password, and nothing else. */
const isProxyUrl = (text: string): boolean =>
  isReadable(() => {
    const { protocol, hostname, pathname, search, hash, username, password } = new URL(text);
    if (protocol !== 'http:' || hostname === '' || `${pathname}${search}${hash}` !== '/') throw new TypeError();
    decodeURIComponent(username + password);
  });

const aws = z.object({
  DEPLOYMENT: z
    .string()
    .max(deploymentMaxLength)
    .regex(deploymentPattern, 'is words of a-z and 0-9 with hyphens between them, each beginning with a letter')
    .default(defaultDeployment)
    .meta({
      description:
        'Names the deployment, if an account holds several: the CDK context `deployment` ([ADR 0064](../adr/0064-deployments-in-one-account.md)).',
    }),
  AWS_REGION: z
    .string()
    .min(1)
    .default('eu-central-1')
    .meta({ description: 'AWS region of the tables and the bucket.' }),
  BUCKET_NAME: z.string().min(3).meta({
    description: 'Bucket of the data stack: output `BucketName` of `EpaSyncData`.',
  }),
  ANCHOR_BUCKET_NAME: z.string().min(3).meta({
    description:
      'Bucket with the anchors of the access log: output `AnchorBucketName` of `EpaSyncData` ([access log](access-log.md), "Anchors").',
  }),
});

const temporal = z.object({
  TEMPORAL_ADDRESS: z.string().min(1).meta({
    description: 'Host and port of the Temporal frontend. TLS is on, except for a loopback address.',
  }),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').meta({
    description: 'Temporal namespace. The stages `dev` and `prod` have no default.',
  }),
  TEMPORAL_API_KEY: z.string().min(1).optional().meta({ description: 'API key for the namespace.' }),
  TEMPORAL_CLIENT_CERT: z
    .string()
    .startsWith('-----BEGIN CERTIFICATE-----', 'is a certificate in PEM')
    .optional()
    .meta({ description: 'Client certificate for mTLS, in place of the API key. Needs `TEMPORAL_CLIENT_KEY`.' }),
  TEMPORAL_CLIENT_KEY: z
    .string()
    .regex(/^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/, 'is a private key in PEM')
    .optional()
    .meta({ description: 'Private key of `TEMPORAL_CLIENT_CERT`.' }),
  TEMPORAL_TLS: z.stringbool().optional().meta({
    description:
      'Set `false` if the network to Temporal is private, such as that of a compose file. Not allowed in AWS, nor together with an API key or a client certificate.',
  }),
  PAYLOAD_KMS_KEY: kmsKeyArn.optional().meta({
    description:
      'KMS key that wraps the data keys of the payload codec. Exactly one of `PAYLOAD_KMS_KEY` and `PAYLOAD_KEYS` is set ([ADR 0023](../adr/0023-envelope-codec.md)).',
  }),
  OLD_PAYLOAD_KEY_ARNS: commaSeparated.pipe(z.array(kmsKeyArn)).meta({
    description:
      'KMS keys that wrapped data keys earlier, comma-separated. What they wrapped can still be read ([ADR 0023](../adr/0023-envelope-codec.md)). While one of them cannot be used, what it wrapped waits ([ADR 0059](../adr/0059-only-what-epa-sync-has-written.md)).',
  }),
  PAYLOAD_KEYS: z
    .string()
    .regex(/^[\w-]+:[A-Za-z0-9+/]{43}=(,[\w-]+:[A-Za-z0-9+/]{43}=)*$/, 'is id:base64 of 32 bytes, comma-separated')
    .optional()
    .meta({
      description:
        'Keys that wrap the data keys on a laptop, in place of KMS. The first key wraps; all keys unwrap. `npm start` makes one and keeps it in `LOCAL_DIR`.',
    }),
});

const hasExactlyOnePayloadKey = ({
  PAYLOAD_KMS_KEY,
  PAYLOAD_KEYS,
}: Pick<z.infer<typeof temporal>, 'PAYLOAD_KMS_KEY' | 'PAYLOAD_KEYS'>): boolean =>
  (PAYLOAD_KMS_KEY === undefined) !== (PAYLOAD_KEYS === undefined);
const exactlyOneRule = {
  path: ['PAYLOAD_KMS_KEY'],
  error: 'set exactly one of PAYLOAD_KMS_KEY and PAYLOAD_KEYS',
  when: () => true, // zod skips a refinement after other problems; this one is always reported
};

type InsurerClientPair = Pick<z.infer<typeof line>, 'INSURER_CLIENT_CERT' | 'INSURER_CLIENT_KEY'>;
const hasWholeClientPair = ({ INSURER_CLIENT_CERT: cert, INSURER_CLIENT_KEY: key }: InsurerClientPair): boolean =>
  (cert === undefined) === (key === undefined);
const wholePairRule = {
  path: ['INSURER_CLIENT_KEY'],
  error: 'set both INSURER_CLIENT_CERT and INSURER_CLIENT_KEY, or none of them',
  when: () => true,
};
const hasMatchingClientPair = (pair: InsurerClientPair): boolean => {
  const { data: cert } = line.shape.INSURER_CLIENT_CERT.safeParse(pair.INSURER_CLIENT_CERT);
  const { data: key } = line.shape.INSURER_CLIENT_KEY.safeParse(pair.INSURER_CLIENT_KEY);
  if (cert === undefined || key === undefined) return true; // rules of their own report these
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
};
const matchingPairRule = {
  path: ['INSURER_CLIENT_KEY'],
  error: 'is not the key of INSURER_CLIENT_CERT',
  when: () => true,
};

const isDays = 'is a number of days above 0, at most 3 650';

const sync = z.object({
  INSURER_ID: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'is 1 to 40 of a-z, 0-9 and -')
    .meta({ description: 'Names the insurer in workflow IDs, tables and metrics. A laptop has `demo`.' }),
  PSEUDONYM_KEY: z
    .base64()
    .refine((text) => Buffer.from(text, 'base64').length >= 32, 'is base64 of at least 32 bytes')
    .meta({
      description:
        'Key that turns a KVNR into a pseudonym. Made once; changing it makes all stored data unreachable. `npm start` keeps its own in `LOCAL_DIR`.',
    }),
  SYNC_WINDOW: z.coerce.number().int().min(1).max(200).default(50).meta({
    description:
      'How many patients a run fetches care records for at the same time. Their requests still wait for the one line.',
    unit: 'patients',
  }),
  CARE_MAX_ATTEMPTS: z.coerce.number().int().min(1).max(10_000).default(40).meta({
    description:
      'Maximum number of requests in one fetch of a patient. After these, a sync on demand fails, and a run leaves the patient pending until the next list. A refused connection does not count ([ADR 0013](../adr/0013-what-counts-as-a-try.md)).',
    unit: 'requests',
  }),
  CARE_REFRESH_AFTER_DAYS: z.coerce.number(isDays).positive(isDays).max(3_650, isDays).optional().meta({
    description:
      'Age above which a completed run asks again for stored care records, the oldest first, until the next run begins ([ADR 0055](../adr/0055-care-records-are-refreshed.md)). Without it, care records are fetched again only if a person asks.',
    unit: 'days',
  }),
  REMOVAL_LIMIT_PERCENT: z.coerce.number().min(0).max(100).default(5).meta({
    description:
      'Share of the stored patients that may be removed within seven days. Removals above this share and above 20 patients wait for an operator, and so do patients for whom the insurer answers 410 in one run. The removal of every patient always waits ([ADR 0009](../adr/0009-removal-guard.md)).',
    unit: '%',
  }),
  REMOVAL_LIMIT_PEOPLE: z.coerce.number().int().min(0).default(1_000).meta({
    description:
      'Number of patients that lists, or answers 410 in one run, may remove within seven days. Removals above this number wait for an operator ([ADR 0041](../adr/0041-guards-for-410-and-seven-days.md)).',
    unit: 'patients',
  }),
  UNREADABLE_LIMIT_PERCENT: z.coerce.number().min(0).max(100).default(5).meta({
    description:
      'A run ends as `completed-with-problems` if this share of the list is quarantined, or care records of this share of the patients asked cannot be used ([ADR 0056](../adr/0056-completed-with-problems.md)).',
    unit: '%',
  }),
});

const line = z.object({
  LEASE_MS: milliseconds(
    10_000,
    2_000,
    120_000,
    'Length of the lease after each renewal. The worker stops sending a margin earlier ([the line](../explanation/the-line.md)). In AWS at most 15 000, so that a pause is answered within the 29 s of API Gateway.',
  ),
  LINE_STALL_MS: milliseconds(15_000, 100, 120_000, 'A request fails after this time without a byte from the insurer.'),
  LIST_FIRST_BYTE_MS: milliseconds(
    600_000,
    100,
    3_600_000,
    'How long the list may take until its first byte. `LINE_STALL_MS` counts from then on. Meanwhile no other request is sent.',
  ),
  LINE_MIN_GAP_MS: milliseconds(50, 0, 10_000, 'Rest after a request that the worker closed itself.'),
  LINE_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).max(paceMax).optional().meta({
    description:
      'The most requests a minute, of all workers together, until an operator sets a pace. Without it, there is no limit ([the line](../explanation/the-line.md), "Pace").',
    unit: 'requests',
  }),
  PAUSE_GRACE_MS: milliseconds(
    2_000,
    0,
    30_000,
    'How long a request in flight may go on after the line is paused. Then the worker closes it. In AWS at most `LEASE_MS`, its margin and 3 s (13 500 by default), so that a pause is answered with the silence of the line.',
  ),
  LINE_QUIET_HOURS: z
    .string()
    .default('')
    .superRefine((text, context) => {
      const message = quietHoursProblem(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .meta({
      description:
        'Quiet hours in German time, such as `Mon-Fri 08:00-18:00; Sat 22:00-06:00`: the list and the care records of a run wait until they end ([the line](../explanation/the-line.md#quiet-hours)). Without it, there are none.',
    }),
  LINE_QUIET_HOURS_PEOPLE: z.enum(['go', 'wait']).default('go').meta({
    description: 'Whether syncs that people request go on in quiet hours, or wait as well.',
  }),
  CARE_RECORDS_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(256 * 1024 * 1024)
    .default(64 * 1024 * 1024)
    .meta({
      description:
        'Largest answer with care records, after decompression. A larger answer is rejected and reported ([insurer-api.yaml](insurer-api.yaml), "Sizes").',
      unit: 'bytes',
    }),
  INSURER_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .meta({ description: 'Address of the insurer; https in AWS. A laptop has the simulator.' }),
  INSURER_API_TOKEN: insurerToken.meta({
    description: 'Bearer token for the insurer. Goes with `INSURER_BASE_URL`.',
  }),
  INSURER_CLIENT_CERT: insurerCertificate.meta({
    description:
      'Client certificate for an insurer that demands one (mTLS), with its chain. Needs `INSURER_CLIENT_KEY`.',
  }),
  INSURER_CLIENT_KEY: z
    .string()
    .refine((pem) => isReadable(() => createPrivateKey(pem)), 'is a private key in PEM, without a passphrase')
    .optional()
    .meta({ description: 'Private key of `INSURER_CLIENT_CERT`.' }),
  INSURER_CA: insurerCertificate.meta({
    description:
      'Authority, or several, that may have signed the certificate of the insurer. Replaces the authorities that Node.js trusts.',
  }),
  INSURER_PROXY_URL: z
    .string()
    .refine(isProxyUrl, 'is http://host:port or http://user:password@host:port, percent-encoded')
    .optional()
    .meta({
      description:
        'HTTP proxy through which the insurer is reached, by CONNECT. The connection to the proxy itself is not encrypted: its password can be read there. The TLS to the insurer passes through it.',
    }),
});

const traces = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'OpenTelemetry collector (OTLP over HTTP) that receives the traces; https in AWS. Without it there are none ([metrics.md](metrics.md), "Traces").',
    }),
  OTEL_TRACES_SAMPLER: z
    .enum([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .optional()
    .meta({ description: 'Sampler of the OpenTelemetry SDK. Without it, all traces are sent.' }),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).optional().meta({
    description: 'Argument of the sampler: `0.1` with `parentbased_traceidratio` keeps one trace in ten.',
    unit: 'share',
  }),
});

const metrics = z.object({
  METRICS_INTERVAL_MS: milliseconds(
    30_000,
    500,
    60_000,
    'How often a worker writes its metrics. CloudWatch aggregates them by the minute ([metrics.md](metrics.md)).',
  ),
  SYNC_HOUR: hour(3, 'Hour at which the daily run starts, in German time.'),
  RUN_DUE_HOUR: hour(
    8,
    'Hour by which the daily run must be completed, in German time. After that the run is overdue.',
  ),
});

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });
function isKeySet(text: string): boolean {
  try {
    return keySet.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

const signIn = z.object({
  OIDC_ISSUER: z.url({ protocol: /^https?$/ }).meta({
    description:
      'OIDC issuer whose tokens the API accepts; https in AWS. Its keys are found through `/.well-known/openid-configuration`. If it is away, its last keys are used for up to 12 hours ([ADR 0062](../adr/0062-last-keys-of-the-issuer.md)). A laptop has a local issuer.',
  }),
  OIDC_AUDIENCE: z.string().min(1).transform(elementsOf).pipe(z.array(z.string()).min(1, 'must not be empty')).meta({
    description:
      'Audience (`aud`) that the access tokens must carry; of several, comma-separated, one. Those of Cognito have none: here it is their `client_id`, of the console and of each program ([issuers](../operations/deploy.md#issuers)).',
  }),
  OIDC_JWKS: z
    .string()
    .refine((text) => isKeySet(text), 'is a JSON Web Key Set, {"keys": […]}, with one key or more')
    .optional()
    .meta({
      description:
        'Public keys of the issuer (RFC 7517), for Lambdas that cannot reach it. If set, no keys are fetched.',
    }),
  OIDC_ROLES_CLAIM: z.string().min(1).default('roles').meta({
    description:
      'Claim that holds the list of roles. Dots lead into nested claims, as in `realm_access.roles` of Keycloak. A claim whose own name has dots, such as `https://klinik.example/roles`, comes first.',
  }),
  CODEC_OIDC_ISSUER: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'Issuer of the tokens that the Temporal UI passes to the codec endpoint, if it is another one; https in AWS. Temporal Cloud has its own.',
    }),
  CODEC_OIDC_AUDIENCE: z.string().min(1).optional().meta({ description: 'Audience of those tokens.' }),
  CODEC_READERS: commaSeparated.meta({
    description:
      'Subjects (`sub`), comma-separated. Tokens of `CODEC_OIDC_ISSUER` with one of them have the rights of an operator at the codec endpoint. An e-mail address counts only if the token says `email_verified: true`, which those of Temporal Cloud do not.',
  }),
});

const deployment = z.object({
  WORKER_BUILD_ID: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'is 1 to 64 of a-z, A-Z, 0-9, _, . and -')
    .optional()
    .meta({
      description:
        'Build ID of the worker for Temporal. Without it, the worker is not versioned ([ADR 0022](../adr/0022-worker-deployment-versions.md)).',
    }),
  HEALTH_PORT: z.coerce.number().int().min(1_024).max(65_535).optional().meta({
    description: 'Loopback port of the health check of the worker. Without it, there is no health check.',
  }),
});

/** All variables of workers and API, by topic. The reference page has a section for each topic. */
export const settingTopics = {
  'AWS and storage': aws,
  'Temporal and its payloads': temporal,
  'Runs and patients': sync,
  'The line to the insurer': line,
  'Metrics and schedule': metrics,
  Traces: traces,
  'Sign-in and tokens': signIn,
  Deployment: deployment,
} as const;

/** The variables that every process needs. Each process reads its configuration once, in its main file. */
const client = z.object({ ...aws.shape, ...temporal.shape, ...sync.shape, ...traces.shape });
/** These schemas lack the rule across variables, because a refined schema has no `pick`. */
export const workerSettings = z.object({ ...client.shape, ...line.shape, ...metrics.shape, ...deployment.shape });
export const apiSettings = z.object({
  ...client.shape,
  ...signIn.shape,
  LINE_QUIET_HOURS: line.shape.LINE_QUIET_HOURS, // shown to people
  LINE_QUIET_HOURS_PEOPLE: line.shape.LINE_QUIET_HOURS_PEOPLE, // shown to those who wait
  INSURER_IK: z
    .string()
    .regex(/^\d{9}$/, 'is nine digits')
    .optional()
    .meta({
      description:
        '*Institutionskennzeichen* of the insurer, by which answers in FHIR name it ([fhir.md](fhir.md)). Without it, they name it by `INSURER_ID`.',
    }),
});
export const clientConfig = client.refine(hasExactlyOnePayloadKey, exactlyOneRule);
export const workerConfig = workerSettings
  .refine(hasExactlyOnePayloadKey, exactlyOneRule)
  .refine(hasWholeClientPair, wholePairRule)
  .refine(hasMatchingClientPair, matchingPairRule);
export const apiConfig = apiSettings.refine(hasExactlyOnePayloadKey, exactlyOneRule);
/** Names in the secret that Lambdas and workers share. ECS requires every name, so an unused one holds an empty string. */
export const sharedSecrets = [
  'PSEUDONYM_KEY',
  'TEMPORAL_API_KEY',
  'TEMPORAL_CLIENT_CERT',
  'TEMPORAL_CLIENT_KEY',
] as const;
/** Names in the insurer's secret, which only workers may read. An unused one holds an empty string, too. */
export const insurerSecrets = [
  'INSURER_API_TOKEN',
  'INSURER_CLIENT_CERT',
  'INSURER_CLIENT_KEY',
  'INSURER_CA',
  'INSURER_PROXY_URL',
] as const;
export type ApiConfig = z.infer<typeof apiConfig>;
export type ClientConfig = z.infer<typeof clientConfig>;

/**
 * Reads a configuration. An empty variable (`NAME= npm start`) counts as not set.
 * @throws ConfigError that lists all problems together, by variable, and never shows a value
 */
export function readConfig<Schema extends z.ZodType>(schema: Schema, environment: NodeJS.ProcessEnv): z.infer<Schema> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given, { error: problemOf });
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
}

/** Says what a setting must be. Other problems keep zod's words. Messages of a schema come before these. */
function problemOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'invalid_format' && issue.input === undefined) return 'must be set';
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'must be a whole number' : `must be a ${issue.expected}`;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${issue.origin === 'string' ? ' characters long' : ''}`;
    case 'invalid_value':
      return issue.values.includes('true') ? 'must be true or false' : `must be ${issue.values.join(' or ')}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'must be a URL, such as https://insurer.example' : undefined;
    default:
      return undefined;
  }
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`invalid configuration: ${problems.join('; ')}. See docs/reference/configuration.md`);
    this.problems = problems;
  }
}
