import type { Node } from 'constructs';
import { z } from 'zod';
import { apiConfig, readConfig, workerConfig } from '../core/config.ts';

/** What an API is deployed with that no template can know; none of it is secret. Given as context: `-c INSURER_ID=…`, or in cdk.json. */
const apiContext = apiConfig
  .pick({
    INSURER_ID: true,
    TEMPORAL_ADDRESS: true,
    TEMPORAL_NAMESPACE: true,
    SYNC_WINDOW: true,
    CARE_MAX_ATTEMPTS: true,
    REMOVAL_LIMIT_PERCENT: true,
    OIDC_ISSUER: true,
    OIDC_AUDIENCE: true,
    OIDC_ROLES_CLAIM: true,
    OTEL_EXPORTER_OTLP_ENDPOINT: true,
  })
  .extend({
    /** whose pages may read the answers */
    CONSOLE_ORIGIN: z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin),
    SYNC_HOUR: workerConfig.shape.SYNC_HOUR,
    RUN_DUE_HOUR: workerConfig.shape.RUN_DUE_HOUR,
  });
export type ApiSettings = z.infer<typeof apiContext>;

/** @throws ConfigError */
export const readApiSettings = (node: Node): ApiSettings =>
  readConfig(
    apiContext,
    Object.fromEntries(Object.keys(apiContext.shape).map((name) => [name, node.tryGetContext(name)])),
  );
