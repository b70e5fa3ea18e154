import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, insurerToken, readConfig, workerSettings } from '../core/config.ts';

const root = resolve(import.meta.dirname, '..');

/** Settings of the stack on a laptop (docs/reference/configuration.md, "On a laptop only"). */
export const localSettings = z.object({
  PORT_BASE: z.coerce.number().int().min(1_024).max(65_435).default(9_000).meta({
    description: 'First port of the stack. All other ports count from it, so two stacks can run on one machine.',
  }),
  LOCAL_DIR: z.string().min(1).default('.local').meta({
    description: 'Folder of the data, keys and logs of the stack. A relative path counts from the repository.',
  }),
  DEPLOYMENT: workerSettings.shape.DEPLOYMENT,
  INSURER_ID: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'is 1 to 40 of a-z, 0-9 and -')
    .default('demo')
    .meta({ description: 'Names the insurer in workflow IDs and tables.' }),
  AWS_REGION: z
    .string()
    .min(1)
    .default('eu-central-1')
    .meta({ description: 'Region that the emulator pretends to be.' }),
  INSURER_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'Address of another insurer. By default `npm start` runs the simulator.' }),
  INSURER_API_TOKEN: insurerToken.optional().meta({
    description: 'Bearer token of that insurer. Required with `INSURER_BASE_URL`.',
  }),
});

export interface LocalSettings {
  readonly localDir: string;
  readonly ports: Ports;
  readonly deployment: string;
  readonly insurerId: string;
  readonly region: string;
  /** an insurer other than the simulator */
  readonly insurer?: { readonly baseUrl: string; readonly token: string };
}

export type Ports = ReturnType<typeof portsFrom>;

/** Returns the port of each part, as an offset from PORT_BASE. */
export const portsFrom = (base: number) => ({
  temporal: base + 10,
  temporalUi: base + 11,
  emulator: base + 20,
  console: base + 30,
  insurer: base + 80,
  insurerControl: base + 81,
  issuer: base + 90,
});

/** @throws ConfigError */
export function readSettings(environment: NodeJS.ProcessEnv): LocalSettings {
  const { INSURER_BASE_URL: baseUrl, INSURER_API_TOKEN: token, ...read } = readConfig(localSettings, environment);
  if (baseUrl !== undefined && token === undefined)
    throw new ConfigError(['INSURER_API_TOKEN: is needed with INSURER_BASE_URL']);
  return {
    localDir: resolve(root, read.LOCAL_DIR),
    ports: portsFrom(read.PORT_BASE),
    deployment: read.DEPLOYMENT,
    insurerId: read.INSURER_ID,
    region: read.AWS_REGION,
    ...(baseUrl !== undefined && token !== undefined && { insurer: { baseUrl, token } }),
  };
}

/** Returns the paths of all files and folders in LOCAL_DIR. */
export const pathsIn = (localDir: string) => ({
  lock: join(localDir, 'stack.lock'),
  endpoints: join(localDir, 'endpoints.json'),
  stack: join(localDir, 'stack.json'),
  /** the same environment as lines, for docker compose */
  workerEnvironment: join(localDir, 'worker.env'),
  keys: join(localDir, 'keys.json'),
  temporalDatabase: join(localDir, 'temporal.db'),
  aws: join(localDir, 'aws'),
  /** what was deployed to an emulator that npm start has not started */
  awsExternal: join(localDir, 'aws-external'),
  insurer: join(localDir, 'insurer.json'),
  issuerKeys: join(localDir, 'issuer-keys.json'),
  logs: join(localDir, 'logs'),
  bundles: join(localDir, 'bundles'),
  consoles: join(localDir, 'console'),
});
