import { createHash } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { type Bucket, linkToObject } from './objects.ts';

/** A report for a patient, as a file. */
export interface ReportFile {
  readonly fileName: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/**
 * The objects `reports/{patientRef}/{sha256}` hold reports of access logs, until they are fetched. They are deleted after
 * a day, and can be made again.
 */
export interface AccessReportsStore {
  /**
   * Stores a report, and returns a presigned URL of it. Everybody who has the URL can read the report, so it must not be
   * logged.
   * @param origin of S3, if it has another address for the reader than for this process
   */
  put(
    patientRef: string,
    file: ReportFile,
    lifetimeSeconds: number,
    origin?: string,
  ): Promise<{ readonly href: string; readonly sizeBytes: number; readonly sha256: string }>;
}

export const createAccessReportsStore = (bucket: Bucket): AccessReportsStore => ({
  async put(patientRef, { fileName, mediaType, bytes }, lifetimeSeconds, origin) {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const Key = `reports/${patientRef}/${sha256}`;
    await bucket.s3.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: bytes }));
    const shown = { mediaType, disposition: `attachment; filename="${fileName}"` };
    return {
      href: await linkToObject(bucket, Key, shown, lifetimeSeconds, origin),
      sizeBytes: bytes.byteLength,
      sha256,
    };
  },
});
