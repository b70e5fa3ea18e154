import { z } from 'zod';

const milliseconds = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback);

const hour = (fallback: number) => z.coerce.number().int().min(0).max(23).default(fallback);

/** A list as a variable has it; what is empty between two commas is nothing. */
export const commaSeparated = z
  .string()
  .default('')
  .transform((list) =>
    list
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  );

export const kmsKeyArn = z.string().regex(/^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/, 'is the ARN of a KMS key');

const aws = z.object({
  AWS_REGION: z.string().min(1).default('eu-central-1'),
  /** the bucket of the data stack (its output BucketName) */
  BUCKET_NAME: z.string().min(3),
});

const temporal = z.object({
  TEMPORAL_ADDRESS: z.string().min(1),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  /** a client certificate (PEM) and its key, for a namespace that knows people by these */
  TEMPORAL_CLIENT_CERT: z.string().startsWith('-----BEGIN CERTIFICATE-----', 'is a certificate in PEM').optional(),
  TEMPORAL_CLIENT_KEY: z
    .string()
    .regex(/^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/, 'is a private key in PEM')
    .optional(),
  /** `false` where the way there is private, such as a compose file's network; else TLS by itself, unless it is on loopback */
  TEMPORAL_TLS: z.stringbool().optional(),
  /** the key of KMS that wraps the payload codec's data keys */
  PAYLOAD_KMS_KEY: kmsKeyArn.optional(),
  /** or, for a laptop, keys that do: `id:base64` (32 bytes each), comma-separated; the first one wraps, all unwrap */
  PAYLOAD_KEYS: z
    .string()
    .regex(/^[\w-]+:[A-Za-z0-9+/]{43}=(,[\w-]+:[A-Za-z0-9+/]{43}=)*$/, 'is id:base64 of 32 bytes, comma-separated')
    .optional(),
});

const isWrappedOneWay = ({
  PAYLOAD_KMS_KEY,
  PAYLOAD_KEYS,
}: Pick<z.infer<typeof temporal>, 'PAYLOAD_KMS_KEY' | 'PAYLOAD_KEYS'>): boolean =>
  (PAYLOAD_KMS_KEY === undefined) !== (PAYLOAD_KEYS === undefined);
const otherwise = {
  path: ['PAYLOAD_KMS_KEY'],
  error: 'has to be set, or PAYLOAD_KEYS, and not both',
  when: () => true, // also beside other problems
};

const sync = z.object({
  INSURER_ID: z.string().regex(/^[a-z0-9-]{1,40}$/, 'is 1 to 40 of a-z, 0-9 and -'),
  PSEUDONYM_KEY: z
    .base64()
    .refine((text) => Buffer.from(text, 'base64').length >= 32, 'is base64 of at least 32 bytes'),
  SYNC_WINDOW: z.coerce.number().int().min(1).max(200).default(50),
  CARE_MAX_ATTEMPTS: z.coerce.number().int().min(1).max(10_000).default(40),
  REMOVAL_LIMIT_PERCENT: z.coerce.number().min(0).max(100).default(5),
});

const line = z.object({
  LEASE_MS: milliseconds(10_000, 2_000, 120_000),
  LINE_STALL_MS: milliseconds(15_000, 100, 120_000),
  LINE_MIN_GAP_MS: milliseconds(50, 0, 10_000),
  PAUSE_GRACE_MS: milliseconds(2_000, 0, 30_000),
  /** decoded; an answer past it is refused and reported (insurer-api.yaml, "Sizes") */
  CARE_RECORDS_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(256 * 1024 * 1024)
    .default(64 * 1024 * 1024),
  INSURER_BASE_URL: z.url({ protocol: /^https?$/ }),
  INSURER_API_TOKEN: z.string().min(1),
});

const traces = z.object({
  /** an OpenTelemetry collector (OTLP over HTTP), to which traces are sent; without it there are none */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** the exporter's own: all of them without it, such as parentbased_traceidratio with 0.1 for one in ten */
  OTEL_TRACES_SAMPLER: z
    .enum([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .optional(),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).optional(),
});

const metrics = z.object({
  /** how often a worker tells its metrics; CloudWatch makes values of a minute of them */
  METRICS_INTERVAL_MS: milliseconds(30_000, 500, 60_000),
  /** when the day's run starts, and by when it has to be completed, in Germany: from then on it is overdue */
  SYNC_HOUR: hour(3),
  RUN_DUE_HOUR: hour(8),
});

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });
function holdsKeys(text: string): boolean {
  try {
    return keySet.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

const people = z.object({
  /** any OIDC issuer: its keys are found through its /.well-known/openid-configuration */
  OIDC_ISSUER: z.url({ protocol: /^https?$/ }),
  OIDC_AUDIENCE: z.string().min(1),
  /** its public keys, a JSON Web Key Set (RFC 7517), where Lambdas cannot reach the issuer: nothing is fetched then */
  OIDC_JWKS: z
    .string()
    .refine((text) => holdsKeys(text), 'is a JSON Web Key Set, {"keys": […]}, with one key or more')
    .optional(),
  /** the claim that holds a list of roles */
  OIDC_ROLES_CLAIM: z.string().min(1).default('roles'),
  /** of the tokens that Temporal's page passes to the codec endpoint, when they are of another issuer: Temporal Cloud's are its own */
  CODEC_OIDC_ISSUER: z.url({ protocol: /^https?$/ }).optional(),
  CODEC_OIDC_AUDIENCE: z.string().min(1).optional(),
  /** whose tokens of that issuer are an operator's: subjects or e-mail addresses, comma-separated */
  CODEC_READERS: commaSeparated,
});

const deployment = z.object({
  /** which build of the workflows this is, for Temporal (docs/adr/0022-worker-deployment-versions.md); without it, there is but one */
  WORKER_BUILD_ID: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'is 1 to 64 of a-z, A-Z, 0-9, _, . and -')
    .optional(),
  /** on loopback: whether the worker is well; without it, nobody is told */
  HEALTH_PORT: z.coerce.number().int().min(1_024).max(65_535).optional(),
});

/** What each process needs, read once in its main. */
const client = z.object({ ...aws.shape, ...temporal.shape, ...sync.shape, ...traces.shape });
/** for who picks some of them */
export const workerSettings = z.object({ ...client.shape, ...line.shape, ...metrics.shape, ...deployment.shape });
export const apiSettings = z.object({ ...client.shape, ...people.shape });
export const clientConfig = client.refine(isWrappedOneWay, otherwise);
export const workerConfig = workerSettings.refine(isWrappedOneWay, otherwise);
export const apiConfig = apiSettings.refine(isWrappedOneWay, otherwise);
/** What Lambdas and workers have in one secret: all of it is there, and empty where it is not used, as ECS asks for each by name. */
export const sharedSecrets = [
  'PSEUDONYM_KEY',
  'TEMPORAL_API_KEY',
  'TEMPORAL_CLIENT_CERT',
  'TEMPORAL_CLIENT_KEY',
] as const;
export type ApiConfig = z.infer<typeof apiConfig>;
export type ClientConfig = z.infer<typeof clientConfig>;

/**
 * Reads a configuration. A variable that is set to nothing (`NAME= npm start`) counts as not set. All problems are
 * listed at once, by variable, and never with a value.
 * @throws ConfigError
 */
export function readConfig<Schema extends z.ZodType>(schema: Schema, environment: NodeJS.ProcessEnv): z.infer<Schema> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`wrong settings: ${problems.join('; ')}`);
    this.problems = problems;
  }
}
