import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { ClientConfig } from '../config.ts';
import { createAccessAnchorsStore } from './access-anchors.ts';
import { createAccessLogStore } from './access-log.ts';
import { createAccessLogChecksStore } from './access-log-checks.ts';
import { createAccessReportsStore } from './access-reports.ts';
import { createCareRecordsStore } from './care-records.ts';
import { createChangesStore } from './changes.ts';
import { createDocumentsStore } from './documents.ts';
import { createExportsStore } from './exports.ts';
import { createGateClient, type GateStore, openGate } from './gate.ts';
import { createIssuerKeysStore } from './issuer-keys.ts';
import { createListsStore } from './lists.ts';
import { createLiveProgressStore } from './live-progress.ts';
import type { Bucket } from './objects.ts';
import { createPatientsStore } from './patients.ts';
import { createPayloadsStore } from './payloads.ts';
import { createSearchLimitsStore } from './search-limits.ts';
import { createSyncRunsStore } from './sync-runs.ts';
import { type Tables, tablesOf } from './tables.ts';
import { createTransfersStore } from './transfers.ts';

/**
 * Limits for calls to AWS while somebody waits for an answer: a call that hangs fails after four seconds, and is
 * retried once. Not for large objects, because their bytes may take longer than that.
 */
export const promptly = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
};

/**
 * Limits for calls to AWS of all other processes: a connection that is not made, a call that hangs and a body that stops
 * all fail. An object of 64 MiB needs 1 MB/s.
 */
export const patiently = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 2_000,
    socketTimeout: 10_000, // without a byte in either direction
    requestTimeout: 60_000, // until the answer begins
    throwOnRequestTimeout: true,
  },
};

/** Limits of each call to AWS. */
export type CallLimits = typeof promptly | typeof patiently;

/**
 * Opens all stores over AWS clients that one process shares. The SDK reads the endpoint (AWS_ENDPOINT_URL) and the
 * credentials from its own variables.
 * @param limits of each call
 */
export function openStores(
  {
    AWS_REGION: region,
    BUCKET_NAME,
    ANCHOR_BUCKET_NAME,
    DEPLOYMENT,
  }: Pick<ClientConfig, 'AWS_REGION' | 'BUCKET_NAME' | 'ANCHOR_BUCKET_NAME' | 'DEPLOYMENT'>,
  limits: CallLimits = patiently,
) {
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ region, ...limits }), {
    marshallOptions: { removeUndefinedValues: true },
  });
  const s3 = new S3Client({ region, ...limits });
  const bucket: Bucket = { s3, name: BUCKET_NAME };
  const anchorBucket: Bucket = { s3, name: ANCHOR_BUCKET_NAME };
  const gateClient = createGateClient(region);
  return {
    ...storesOver({ dynamo, bucket, anchorBucket, gateClient, tables: tablesOf(DEPLOYMENT) }),
    close: (): void => {
      dynamo.destroy();
      gateClient.destroy();
      s3.destroy();
    },
  };
}
export type Stores = ReturnType<typeof openStores>;

/** Returns all stores over clients that exist already. */
export function storesOver({ dynamo, bucket, anchorBucket, gateClient, tables }: StoreClients) {
  const accessAnchors = createAccessAnchorsStore(anchorBucket);
  const documents = createDocumentsStore(bucket);
  return {
    bucket,
    documents,
    patients: createPatientsStore(dynamo, documents, tables),
    careRecords: createCareRecordsStore(dynamo, documents, tables),
    payloads: createPayloadsStore(bucket),
    lists: createListsStore(bucket),
    exports: createExportsStore(dynamo, bucket, tables),
    syncRuns: createSyncRunsStore(dynamo, tables),
    transfers: createTransfersStore(dynamo, tables),
    liveProgress: createLiveProgressStore(dynamo, tables),
    searchLimits: createSearchLimitsStore(dynamo, tables),
    accessLog: createAccessLogStore(dynamo, tables, accessAnchors),
    accessAnchors,
    accessReports: createAccessReportsStore(bucket),
    accessLogChecks: createAccessLogChecksStore(dynamo, tables),
    issuerKeys: createIssuerKeysStore(bucket),
    changes: createChangesStore(dynamo, tables),
    gateOf: (insurerId: string): GateStore => openGate(gateClient, insurerId, { lineTable: tables.line }),
  };
}

export interface StoreClients {
  readonly dynamo: DynamoDBDocumentClient;
  readonly bucket: Bucket;
  readonly anchorBucket: Bucket;
  /** for the gate, whose calls have shorter limits */
  readonly gateClient: DynamoDBClient;
  readonly tables: Tables;
}
