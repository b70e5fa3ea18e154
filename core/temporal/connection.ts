import { KMSClient } from '@aws-sdk/client-kms';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type TLSConfig,
} from '@temporalio/client';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { type ClientConfig, ConfigError } from '../config.ts';
import type { KeyWrapper } from '../crypto/key-wrapper.ts';
import { createKmsKeyWrapper } from '../crypto/kms-key-wrapper.ts';
import { createSecretKeyWrapper } from '../crypto/secret-key-wrapper.ts';
import { promptly } from '../stores/open-stores.ts';
import { createDataConverter, createPayloadCodec } from './codec.ts';

export interface TemporalConnectionOptions {
  readonly address: string;
  readonly apiKey?: string;
  /** always set, because the SDK turns TLS on when there is an API key */
  readonly tls: boolean | TLSConfig;
}

type TemporalAccess = Pick<
  ClientConfig,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_API_KEY' | 'TEMPORAL_CLIENT_CERT' | 'TEMPORAL_CLIENT_KEY'
> &
  Partial<Pick<ClientConfig, 'TEMPORAL_TLS'>>;

/**
 * Returns the options of a connection to Temporal. TLS is on unless the address is a loopback address or TEMPORAL_TLS
 * is false. A client certificate is used if there is one.
 * @throws ConfigError if the settings contradict each other
 */
export function temporalConnection({
  TEMPORAL_ADDRESS: address,
  TEMPORAL_API_KEY: apiKey,
  TEMPORAL_CLIENT_CERT: crt,
  TEMPORAL_CLIENT_KEY: key,
  TEMPORAL_TLS: wantsTls = true,
}: TemporalAccess): TemporalConnectionOptions {
  if ((crt === undefined) !== (key === undefined))
    throw new ConfigError(['TEMPORAL_CLIENT_CERT, TEMPORAL_CLIENT_KEY: only one of them is set. Set both or neither']);
  if (!wantsTls && (apiKey !== undefined || crt !== undefined))
    throw new ConfigError([
      'TEMPORAL_TLS: is false, but TEMPORAL_API_KEY or TEMPORAL_CLIENT_CERT is set. Remove TEMPORAL_TLS, or the key and the certificate',
    ]);
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/.test(address);
  const certificate = crt !== undefined && key !== undefined && { clientCertPair: pairOf(crt, key) };
  return { address, ...(apiKey !== undefined && { apiKey }), tls: wantsTls && !isLoopback && (certificate || true) };
}

const pairOf = (crt: string, key: string) => ({ crt: Buffer.from(crt), key: Buffer.from(key) });

/** Allows ten attempts of a call within about 3 s: after 70, 100, 140 ms and so on. */
const promptRetries = { initialIntervalMs: () => 50, factor: 1.4, maxAttempts: 10 };

/**
 * Creates a connection that opens with its first call. If Temporal is unreachable, that call fails and not this
 * function. By default the SDK waits at least 1.7 s before it retries when the server is busy, or when one workflow has
 * too many updates in progress. That is too long while somebody waits, so this connection retries sooner.
 */
export const connectPromptly = (config: TemporalAccess): Connection =>
  Connection.lazy({
    ...temporalConnection(config),
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions(promptRetries))],
  });

type PayloadKeyConfig = Pick<ClientConfig, 'AWS_REGION' | 'PAYLOAD_KMS_KEY' | 'OLD_PAYLOAD_KEY_ARNS' | 'PAYLOAD_KEYS'>;

function keyWrapperOf(config: PayloadKeyConfig): KeyWrapper {
  const { AWS_REGION: region, PAYLOAD_KMS_KEY, OLD_PAYLOAD_KEY_ARNS, PAYLOAD_KEYS } = config;
  if (PAYLOAD_KMS_KEY !== undefined)
    return createKmsKeyWrapper(new KMSClient({ region, ...promptly }), PAYLOAD_KMS_KEY, OLD_PAYLOAD_KEY_ARNS);
  return createSecretKeyWrapper(PAYLOAD_KEYS ?? '');
}

/** Creates the payload codec of a process. Create one for each process: each codec has data keys of its own. */
export const payloadCodecOf = (config: PayloadKeyConfig): PayloadCodec => createPayloadCodec(keyWrapperOf(config));

export const dataConverterOf = (config: PayloadKeyConfig): DataConverter => createDataConverter(payloadCodecOf(config));

/** Creates a Temporal client that encrypts payloads. It connects with its first call. */
export const openTemporal = (config: TemporalConfig): Client =>
  new Client({
    connection: connectPromptly(config),
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter: dataConverterOf(config),
  });
type TemporalConfig = TemporalAccess & Pick<ClientConfig, 'TEMPORAL_NAMESPACE'> & PayloadKeyConfig;
