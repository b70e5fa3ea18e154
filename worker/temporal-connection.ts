import { NativeConnection } from '@temporalio/worker';
import { temporalConnection } from '../core/temporal/connection.ts';

/**
 * Connects a worker to Temporal, without gzip, which is the SDK's default: payloads are encrypted, and encrypted bytes do not
 * shrink. The server compresses its answers only if the requests are compressed.
 */
export const connectToTemporal = async (config: Parameters<typeof temporalConnection>[0]): Promise<NativeConnection> =>
  await NativeConnection.connect({ ...temporalConnection(config), grpcCompression: { codec: 'none' } });
