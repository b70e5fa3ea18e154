import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { type ApiConfig, apiConfig, readConfig } from '../core/config.ts';
import { promptly } from '../core/stores/open-stores.ts';

const location = z.object({ SECRET_ID: z.string().min(1), AWS_REGION: z.string().min(1) });
/** The fields of the secret, which is JSON. Other fields are ignored. */
const secret = z.object({
  PSEUDONYM_KEY: z.string(),
  PAYLOAD_KEYS: z.string().optional(),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_CLIENT_CERT: z.string().optional(),
  TEMPORAL_CLIENT_KEY: z.string().optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
});

/** Reads the settings of a Lambda from its environment and from Secrets Manager. @throws ConfigError */
export async function readSettings(environment: NodeJS.ProcessEnv): Promise<ApiConfig> {
  return readConfig(apiConfig, { ...environment, ...(await readSecret(environment)) });
}

/** Reads the secret settings from Secrets Manager. @throws ConfigError */
export async function readSecret(environment: NodeJS.ProcessEnv): Promise<z.infer<typeof secret>> {
  const { SECRET_ID, AWS_REGION: region } = readConfig(location, environment);
  const secrets = new SecretsManagerClient({ region, ...promptly });
  try {
    const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: SECRET_ID }));
    return readConfig(secret, JSON.parse(SecretString));
  } finally {
    secrets.destroy();
  }
}
