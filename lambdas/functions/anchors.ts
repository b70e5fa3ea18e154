import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { readConfig } from '../../core/config.ts';
import { anchorKeyOf, isTampering, type StreamRecord } from '../../core/domain/access-anchor.ts';
import { createAccessAnchorsStore } from '../../core/stores/access-anchors.ts';
import { promptly } from '../../core/stores/open-stores.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import { logger, metrics } from '../observability.ts';

const settings = z.object({ AWS_REGION: z.string().min(1), ANCHOR_BUCKET_NAME: z.string().min(3) });
const { AWS_REGION: region, ANCHOR_BUCKET_NAME: name } = readConfig(settings, process.env);
const anchors = createAccessAnchorsStore({ s3: new S3Client({ region, ...promptly }), name });
const putsAtOnce = 16;

/**
 * Writes an anchor for each entry that the stream of AuditLog reports. Throws on failure, so that Lambda repeats the batch,
 * whose anchors are then found or written.
 */
export async function handler({ Records }: { readonly Records: readonly StreamRecord[] }): Promise<void> {
  const tampered = Records.filter(isTampering).length;
  if (tampered > 0) {
    logger.error('an entry of the access log was changed or deleted', { items: tampered });
    metrics.emit({ AccessLogTampered: tampered }); // before the writes, which may fail
  }
  const keys = new Set(Records.flatMap((record) => anchorKeyOf(record) ?? []));
  await forEachParallel(keys, putsAtOnce, async (key) => await anchors.put(key));
  const oldest = Math.min(...Records.flatMap(({ dynamodb }) => dynamodb?.ApproximateCreationDateTime ?? []));
  if (Number.isFinite(oldest)) metrics.emit({ AnchorLagSeconds: Math.max(0, Date.now() / 1000 - oldest) });
}
