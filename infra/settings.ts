import type { Node } from 'constructs';
import { z } from 'zod';
import { apiSettings, readConfig } from '../core/config.ts';

const origin = z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin);

/** What an API is deployed with that no template can know; none of it is secret. Given as context: `-c INSURER_ID=…`, or in cdk.json. */
const apiContext = apiSettings
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
    CODEC_OIDC_ISSUER: true,
    CODEC_OIDC_AUDIENCE: true,
    CODEC_READERS: true,
  })
  .extend({
    /** whose pages may read the answers */
    CONSOLE_ORIGIN: origin,
    /** whose pages may read those of the codec endpoint: https://cloud.temporal.io for Temporal Cloud's */
    TEMPORAL_UI_ORIGIN: origin.optional(),
    /** when the day's sync starts, in Germany */
    SYNC_HOUR: z.coerce.number().int().min(0).max(23).default(3),
  });
export type ApiSettings = z.infer<typeof apiContext>;

/** @throws ConfigError */
export const readApiSettings = (node: Node): ApiSettings =>
  readConfig(
    apiContext,
    Object.fromEntries(Object.keys(apiContext.shape).map((name) => [name, node.tryGetContext(name)])),
  );
