import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type TLSConfig,
} from '@temporalio/client';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { type ClientConfig, ConfigError } from './config.ts';
import type { KeyWrapper } from './crypto/key-wrapper.ts';
import { createKmsKeyWrapper } from './crypto/kms-key-wrapper.ts';
import { createSecretKeyWrapper } from './crypto/secret-key-wrapper.ts';
import { createAccessLogStore } from './stores/access-log.ts';
import { createCareRecordsStore } from './stores/care-records.ts';
import { createDocumentsStore } from './stores/documents.ts';
import { createGateClient, type GateStore, openGate } from './stores/gate.ts';
import { createListsStore } from './stores/lists.ts';
import type { Bucket } from './stores/objects.ts';
import { createPatientsStore } from './stores/patients.ts';
import { createPayloadsStore } from './stores/payloads.ts';
import { createSyncRunsStore } from './stores/sync-runs.ts';
import { createDataConverter, createPayloadCodec } from './temporal/codec.ts';

/**
 * How long somebody who waits for an answer waits for AWS: a call that hangs is given up after four seconds, and made once more.
 * No limit for large objects: their bytes may take longer, once they come.
 */
export const promptly = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
};

/**
 * All stores, over clients that one process shares. AWS's own variables (AWS_ENDPOINT_URL, credentials) say where they are.
 * @param limits of each call; without them one that hangs is waited for, as those do who heartbeat meanwhile
 */
export function openStores(
  { AWS_REGION: region, BUCKET_NAME }: Pick<ClientConfig, 'AWS_REGION' | 'BUCKET_NAME'>,
  limits: Partial<typeof promptly> = {},
) {
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ region, ...limits }), {
    marshallOptions: { removeUndefinedValues: true },
  });
  const s3 = new S3Client({ region, ...limits });
  const bucket: Bucket = { s3, name: BUCKET_NAME };
  const gateClient = createGateClient(region);
  const documents = createDocumentsStore(bucket);
  return {
    bucket,
    documents,
    patients: createPatientsStore(dynamo, documents),
    careRecords: createCareRecordsStore(dynamo, documents),
    payloads: createPayloadsStore(bucket),
    lists: createListsStore(bucket),
    syncRuns: createSyncRunsStore(dynamo),
    accessLog: createAccessLogStore(dynamo),
    gateOf: (insurerId: string): GateStore => openGate(gateClient, insurerId),
    close: (): void => {
      dynamo.destroy();
      gateClient.destroy();
      s3.destroy();
    },
  };
}
export type Stores = ReturnType<typeof openStores>;

export interface TemporalConnectionOptions {
  readonly address: string;
  readonly apiKey?: string;
  /** said either way, as a key alone would turn it on */
  readonly tls: boolean | TLSConfig;
}

type TemporalAccess = Pick<
  ClientConfig,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_API_KEY' | 'TEMPORAL_CLIENT_CERT' | 'TEMPORAL_CLIENT_KEY'
> &
  Partial<Pick<ClientConfig, 'TEMPORAL_TLS'>>;

/** How Temporal is reached: TLS by itself unless it is on loopback, or switched off (TEMPORAL_TLS), with a client certificate where there is one. @throws ConfigError */
export function temporalConnection({
  TEMPORAL_ADDRESS: address,
  TEMPORAL_API_KEY: apiKey,
  TEMPORAL_CLIENT_CERT: crt,
  TEMPORAL_CLIENT_KEY: key,
  TEMPORAL_TLS: wantsTls = true,
}: TemporalAccess): TemporalConnectionOptions {
  if ((crt === undefined) !== (key === undefined))
    throw new ConfigError(['TEMPORAL_CLIENT_CERT, TEMPORAL_CLIENT_KEY: the one is of no use without the other']);
  if (!wantsTls && (apiKey !== undefined || crt !== undefined))
    throw new ConfigError([
      'TEMPORAL_TLS: is not to be false where there is a TEMPORAL_API_KEY or TEMPORAL_CLIENT_CERT',
    ]);
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/.test(address);
  const certificate = crt !== undefined && key !== undefined && { clientCertPair: pairOf(crt, key) };
  return { address, ...(apiKey !== undefined && { apiKey }), tls: wantsTls && !isLoopback && (certificate || true) };
}

const pairOf = (crt: string, key: string) => ({ crt: Buffer.from(crt), key: Buffer.from(key) });

/** Ten calls within some 3 s: after 70, 100, 140 ms and so on. */
const promptRetries = { initialIntervalMs: () => 50, factor: 1.4, maxAttempts: 10 };

/**
 * Connects with its first call: that Temporal is away is a fault of the call, and not of this one. By itself the SDK would
 * come again only after 1.7 s when the server is busy, or one workflow has too many updates under way: for those whom
 * somebody waits for that is never.
 */
export const connectPromptly = (config: TemporalAccess): Connection =>
  Connection.lazy({
    ...temporalConnection(config),
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions(promptRetries))],
  });

type PayloadKeyConfig = Pick<ClientConfig, 'AWS_REGION' | 'PAYLOAD_KMS_KEY' | 'PAYLOAD_KEYS'>;

function keyWrapperOf({ AWS_REGION: region, PAYLOAD_KMS_KEY, PAYLOAD_KEYS }: PayloadKeyConfig): KeyWrapper {
  if (PAYLOAD_KMS_KEY !== undefined)
    return createKmsKeyWrapper(new KMSClient({ region, ...promptly }), PAYLOAD_KMS_KEY);
  return createSecretKeyWrapper(PAYLOAD_KEYS ?? '');
}

/** One for a process: each has data keys of its own. */
export const payloadCodecOf = (config: PayloadKeyConfig): PayloadCodec => createPayloadCodec(keyWrapperOf(config));

export const dataConverterOf = (config: PayloadKeyConfig): DataConverter => createDataConverter(payloadCodecOf(config));

export const openTemporal = (config: TemporalConfig): Client =>
  new Client({
    connection: connectPromptly(config),
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverterOf(config),
  });
type TemporalConfig = TemporalAccess & Pick<ClientConfig, 'TEMPORAL_NAMESPACE'> & PayloadKeyConfig;
