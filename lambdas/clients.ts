import { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { ApiConfig } from '../core/config.ts';
import type { CodecFault } from '../core/crypto/key-wrapper.ts';
import { openStores, promptly, type Stores } from '../core/stores/open-stores.ts';
import type { Traces } from '../core/telemetry/traces.ts';
import { type AccessLogCheckClient, createAccessLogCheckClient } from '../core/temporal/access-log-check-client.ts';
import { createLoadedDataConverter, tellingRefused } from '../core/temporal/codec.ts';
import { connectPromptly, payloadCodecOf } from '../core/temporal/connection.ts';
import { createDailySyncClient, type DailySyncClient } from '../core/temporal/daily-sync-client.ts';
import { createExportClient, type ExportClient } from '../core/temporal/export-client.ts';
import { createInsurerLineClient, type InsurerLineClient } from '../core/temporal/insurer-line-client.ts';
import { createPatientRecordClient, type PatientRecordClient } from '../core/temporal/patient-record-client.ts';
import type { IssuerKeysDeps } from './http/issuer-keys.ts';
import { Problem } from './http/problems.ts';
import { createTokenCipher, type TokenCipher } from './http/token-cipher.ts';
import { createCodecTokenVerifier, createTokenVerifier, type VerifyToken } from './http/tokens.ts';
import { logger, metrics, traces } from './observability.ts';
import { readSettings } from './settings.ts';

/** The clients that handlers use. */
export interface Clients {
  readonly config: ApiConfig;
  readonly stores: Stores;
  readonly dailySync: DailySyncClient;
  readonly insurerLine: InsurerLineClient;
  readonly patientRecord: PatientRecordClient;
  readonly accessLogCheck: AccessLogCheckClient;
  readonly exportClient: ExportClient;
  readonly payloadCodec: PayloadCodec;
  readonly tokenCipher: TokenCipher;
  readonly verifyToken: VerifyToken;
  /** also accepts the tokens of the Temporal UI */
  readonly verifyCodecToken: VerifyToken;
}

let clients: Promise<Clients> | undefined;

/**
 * Returns the clients of this container. Opens them at the first request that needs them; each connects with its first
 * call.
 * @throws Problem `unavailable`
 */
export function clientsOfContainer(): Promise<Clients> {
  clients ??= readSettings(process.env)
    .then(async (config) => openClients(config, await traces))
    .catch((cause: unknown) => {
      clients = undefined; // the next request tries again
      throw new Problem('unavailable', {}, { cause });
    });
  return clients;
}

/**
 * Reads the settings before the first request, if AWS keeps this container ready (PATIENTS_PROVISIONED_CONCURRENCY). AWS
 * waits for it. If it fails, the first request tries again.
 */
export async function prepareIfKeptReady(environment: NodeJS.ProcessEnv): Promise<void> {
  if (environment['AWS_LAMBDA_INITIALIZATION_TYPE'] !== 'provisioned-concurrency') return;
  await clientsOfContainer().catch(() => {});
}

function openClients(config: ApiConfig, tracing: Traces | undefined): Clients {
  const stores = openStores(config, promptly);
  const payloadCodec = payloadCodecOf(config);
  const tokenCipher = createTokenCipher(config.PSEUDONYM_KEY);
  const keyDeps: IssuerKeysDeps = {
    store: stores.issuerKeys,
    cipher: tokenCipher,
    report: (what, error) => {
      if (what !== 'fetched') logger.warn('keys of the issuer', { what, error: (error as Error).name });
      if (what !== 'not kept') metrics.emit({ IssuerFailures: what === 'fetched' ? 0 : 1 });
    },
  };
  const verifyToken = createTokenVerifier(config, keyDeps);
  const temporal = new Client({
    connection: connectPromptly(config),
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: createLoadedDataConverter(tellingRefused(payloadCodec, reportRefused)),
    interceptors: { workflow: [...(tracing?.clientInterceptors ?? [])] },
  });
  return {
    config,
    stores,
    dailySync: createDailySyncClient(temporal, stores, config),
    insurerLine: createInsurerLineClient({
      temporal: async () => temporal,
      gate: stores.gateOf(config.INSURER_ID),
      insurerId: config.INSURER_ID,
    }),
    patientRecord: createPatientRecordClient({ temporal: async () => temporal, stores, config }),
    accessLogCheck: createAccessLogCheckClient(temporal, config.INSURER_ID),
    exportClient: createExportClient(temporal, config.INSURER_ID),
    payloadCodec,
    tokenCipher,
    verifyToken,
    verifyCodecToken: createCodecTokenVerifier(config, verifyToken, keyDeps),
  };
}

function reportRefused(fault: CodecFault): void {
  logger.error('payload refused', { fault });
  metrics.emit({ PayloadsRefused: 1 });
}
