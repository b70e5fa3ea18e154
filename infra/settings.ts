import type { Node } from 'constructs';
import { z } from 'zod';
import { apiSettings, ConfigError, readConfig, workerSettings } from '../core/config.ts';
import { defaultDeployment } from '../core/contract/deployment.ts';
import { leaseMarginMs } from '../core/domain/gate.ts';
import { deploymentOf, type Stage } from './stage.ts';

const origin = z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin);

/** Settings of the API stack, from the CDK context: in cdk.json, or `-c INSURER_ID=…`. None is secret. */
export const apiContext = apiSettings
  .pick({
    INSURER_ID: true,
    INSURER_IK: true,
    TEMPORAL_ADDRESS: true,
    TEMPORAL_NAMESPACE: true,
    TEMPORAL_TLS: true,
    OLD_PAYLOAD_KEY_ARNS: true,
    SYNC_WINDOW: true,
    CARE_MAX_ATTEMPTS: true,
    CARE_REFRESH_AFTER_DAYS: true,
    REMOVAL_LIMIT_PERCENT: true,
    LINE_QUIET_HOURS: true,
    LINE_QUIET_HOURS_PEOPLE: true,
    UNREADABLE_LIMIT_PERCENT: true,
    OIDC_ISSUER: true,
    OIDC_AUDIENCE: true,
    OIDC_JWKS: true,
    OIDC_ROLES_CLAIM: true,
    CODEC_OIDC_ISSUER: true,
    CODEC_OIDC_AUDIENCE: true,
    CODEC_READERS: true,
    OTEL_EXPORTER_OTLP_ENDPOINT: true,
    OTEL_TRACES_SAMPLER: true,
    OTEL_TRACES_SAMPLER_ARG: true,
  })
  .extend({
    WEB_ACL_ARN: z
      .string()
      .regex(/^arn:aws[\w-]*:wafv2:[\w-]+:\d{12}:regional\/webacl\//, 'is the ARN of a web ACL with the scope REGIONAL')
      .optional()
      .meta({ description: 'Firewall (AWS WAF) of the account in front of the API.' }),
    CONSOLE_ORIGIN: origin.meta({
      description: 'Origin of the console; https in AWS. Pages of this origin may read the answers of the API.',
    }),
    TEMPORAL_UI_ORIGIN: origin.optional().meta({
      description:
        'Origin of the Temporal UI. Its pages may use the codec endpoint. Temporal Cloud has `https://cloud.temporal.io`.',
    }),
    SYNC_HOUR: workerSettings.shape.SYNC_HOUR,
    RUN_DUE_HOUR: workerSettings.shape.RUN_DUE_HOUR,
    PATIENTS_PROVISIONED_CONCURRENCY: z.coerce.number().int().min(1).max(100).optional().meta({
      description:
        'How many containers of the Lambda `patients` AWS keeps ready, so that the first request in the morning does not wait for a cold start. It costs money around the clock ([capacity](../operations/capacity.md#keep-a-lambda-ready)). Without it, none are.',
      unit: 'containers',
    }),
  });
export type ApiSettings = z.infer<typeof apiContext>;

/** Settings of the worker stack, from the CDK context. */
export const workerContext = workerSettings
  .pick({
    INSURER_ID: true,
    INSURER_BASE_URL: true,
    TEMPORAL_ADDRESS: true,
    TEMPORAL_NAMESPACE: true,
    TEMPORAL_TLS: true,
    OLD_PAYLOAD_KEY_ARNS: true,
    LEASE_MS: true,
    LINE_STALL_MS: true,
    LIST_FIRST_BYTE_MS: true,
    LINE_MIN_GAP_MS: true,
    LINE_REQUESTS_PER_MINUTE: true,
    PAUSE_GRACE_MS: true,
    LINE_QUIET_HOURS: true,
    LINE_QUIET_HOURS_PEOPLE: true,
    CARE_RECORDS_MAX_BYTES: true,
    METRICS_INTERVAL_MS: true,
    SYNC_HOUR: true,
    RUN_DUE_HOUR: true,
    OTEL_EXPORTER_OTLP_ENDPOINT: true,
    OTEL_TRACES_SAMPLER: true,
    OTEL_TRACES_SAMPLER_ARG: true,
  })
  .extend({
    INSURER_PROXY_PORT: z.coerce.number().int().min(1).max(65_535).optional().meta({
      description: 'Port of `INSURER_PROXY_URL`. Workers may then connect to it, in place of the port of the insurer.',
    }),
  });
export type WorkerSettings = z.infer<typeof workerContext>;

/** Settings of the console stack, from the CDK context. */
export const consoleContext = apiContext
  .pick({ OIDC_ISSUER: true, OIDC_ROLES_CLAIM: true, CONSOLE_ORIGIN: true })
  .extend({
    CONSOLE_CLIENT_ID: z.string().min(1).default('console').meta({
      description:
        'Client ID of the console at the issuer: a public client, authorization code with PKCE, redirect to `CONSOLE_ORIGIN/`.',
    }),
    CONSOLE_SCOPE: z.string().min(1).default('openid profile').meta({
      description:
        'Scopes that the console asks for. Some issuers renew tokens only with `offline_access`, or want the scope of the API as well.',
    }),
    CONSOLE_AUDIENCE: z.string().min(1).optional().meta({
      description: 'Sent as `audience`, for issuers that issue a JWT only for a named audience, such as Auth0.',
    }),
    CONSOLE_ISSUER_ORIGINS: z
      .string()
      .transform((list) => list.split(',').map((each) => each.trim()))
      .pipe(z.array(origin))
      .default([])
      .meta({
        description:
          'Further origins of the issuer, comma-separated, if its token or sign-out address is not on its own origin.',
      }),
    CONSOLE_CERTIFICATE_ARN: z
      .string()
      .regex(/^arn:aws[\w-]*:acm:us-east-1:\d{12}:certificate\/[\w-]+$/, 'is the ARN of a certificate in us-east-1')
      .optional()
      .meta({
        description:
          'ACM certificate for the name in `CONSOLE_ORIGIN`. Without it, the console has only the name that CloudFront gives it.',
      }),
    CONSOLE_WEB_ACL_ARN: z
      .string()
      .regex(
        /^arn:aws[\w-]*:wafv2:us-east-1:\d{12}:global\/webacl\//,
        'is the ARN of a web ACL with the scope CLOUDFRONT',
      )
      .optional()
      .meta({ description: 'Firewall (AWS WAF) of the account in front of the console.' }),
  });
export type ConsoleSettings = z.infer<typeof consoleContext>;

type Addresses = z.ZodType<string | readonly string[] | undefined>;
const encrypted = <Schema extends Addresses>(schema: Schema) =>
  schema.refine(
    (addresses) => [addresses ?? []].flat().every((address) => new URL(address).protocol === 'https:'),
    'must begin with https:// in AWS, because tokens and personal data go there',
  );
/** Longest lease in AWS: a pause waits for a dead holder's lease and 5.75 s more, and API Gateway waits for 29 s in all. */
const leaseMaxMs = 15_000;
/**
 * Returns the longest grace time in AWS. While Temporal is away, a pause waits for the lease, its margin and 5 s
 * (core/temporal/insurer-line-client.ts). A live holder takes up to 2 s to read the pause and to close its socket.
 */
const graceMaxMs = (leaseMs: number): number => leaseMs + leaseMarginMs(leaseMs) + 5_000 - 2_000;

/** What holds for the stages in AWS, but not on a laptop. */
const inAws = {
  // only Temporal's dev server has the namespace `default`, so a deployment must name its own
  TEMPORAL_NAMESPACE: apiContext.shape.TEMPORAL_NAMESPACE.removeDefault(),
  TEMPORAL_TLS: apiContext.shape.TEMPORAL_TLS.refine(
    (wantsTls) => wantsTls !== false,
    'must not be false in AWS, because the IDs of workflows hold pseudonyms, and TLS alone encrypts them. Remove it',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: encrypted(apiContext.shape.OTEL_EXPORTER_OTLP_ENDPOINT),
};
const issuerInAws = {
  OIDC_ISSUER: encrypted(apiContext.shape.OIDC_ISSUER),
  CONSOLE_ORIGIN: encrypted(apiContext.shape.CONSOLE_ORIGIN),
};
const apiContextInAws = apiContext.extend({
  ...inAws,
  ...issuerInAws,
  CODEC_OIDC_ISSUER: encrypted(apiContext.shape.CODEC_OIDC_ISSUER),
  TEMPORAL_UI_ORIGIN: encrypted(apiContext.shape.TEMPORAL_UI_ORIGIN),
});
const workerContextInAws = workerContext
  .extend({
    ...inAws,
    INSURER_BASE_URL: encrypted(workerContext.shape.INSURER_BASE_URL),
    LEASE_MS: workerContext.shape.LEASE_MS.refine(
      (leaseMs) => leaseMs <= leaseMaxMs,
      `must be ${leaseMaxMs} or less in AWS, so that a pause is answered before API Gateway gives up`,
    ),
  })
  .superRefine(({ LEASE_MS: leaseMs, PAUSE_GRACE_MS: graceMs }, { addIssue }) => {
    if (graceMs <= graceMaxMs(leaseMs)) return;
    const message = `must be ${graceMaxMs(leaseMs)} or less in AWS if LEASE_MS is ${leaseMs}, so that a pause is answered with the silence of the line`;
    addIssue({ code: 'custom', path: ['PAUSE_GRACE_MS'], message });
  });
const consoleContextInAws = consoleContext.extend({
  ...issuerInAws,
  CONSOLE_ISSUER_ORIGINS: encrypted(consoleContext.shape.CONSOLE_ISSUER_ORIGINS),
});

/** Reads the settings of the API stack. @throws ConfigError */
export const readApiSettings = (node: Node, stage: Stage): ApiSettings =>
  readContext(node, stage, stage === 'local' ? apiContext : apiContextInAws);
/** Reads the settings of the worker stack. On a laptop, workers are processes and not part of the app. @throws ConfigError */
export const readWorkerSettings = (node: Node, stage: Stage): WorkerSettings =>
  readContext(node, stage, workerContextInAws);
/** Reads the settings of the console stack, which a laptop does not have. @throws ConfigError */
export const readConsoleSettings = (node: Node, stage: Stage): ConsoleSettings =>
  readContext(node, stage, consoleContextInAws);

/**
 * Returns the deployment that the CDK context names. A deployment other than the default one has one entry of settings for
 * all stages, so the entry must say its stage. With the wrong stage, the data of production would lose its protection.
 * @throws ConfigError if the stage is not that of the entry. On a laptop, no deployment has data to protect
 */
export function readDeployment(node: Node, stage: Stage): string {
  const deployment = deploymentOf(node.tryGetContext('deployment'));
  if (deployment === defaultDeployment || stage === 'local') return deployment;
  const { stage: own } = ownEntry(node, deployment) ?? {};
  const example = `"${deployment}": { "stage": "${stage}", … }`;
  if (own === undefined)
    throw new ConfigError([`stage: is missing in the entry of ${deployment} in cdk.json. Set ${example}`]);
  if (own !== stage)
    throw new ConfigError([
      `stage: is ${stage}, but ${deployment} has the stage ${String(own)} in cdk.json. Deploy it with -c stage=${String(own)}`,
    ]);
  return deployment;
}

const ownEntry = (node: Node, name: string): Record<string, unknown> | undefined =>
  z.record(z.string(), z.unknown()).optional().parse(node.tryGetContext(name));

/**
 * Reads each setting from `-c NAME=…`, or else from cdk.json: for the default deployment from the entry of the stage, for
 * another one from the entry with its name. So no deployment gets an address or an insurer of another one.
 */
function readContext<Schema extends z.ZodObject>(node: Node, stage: Stage, schema: Schema): z.infer<Schema> {
  const deployment = readDeployment(node, stage);
  const own = ownEntry(node, deployment === defaultDeployment ? stage : deployment);
  const entries = Object.keys(schema.shape).map((name) => [name, node.tryGetContext(name) ?? own?.[name]]);
  return readConfig(schema, Object.fromEntries(entries));
}
