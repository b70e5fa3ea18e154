import { type Bucket, linkToObject, putObject } from './objects.ts';

/** A report for a patient, as a file. */
export interface ReportFile {
  readonly fileName: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/**
 * The objects `reports/{patientRef}/…` hold reports of access logs, until they are fetched. They are deleted after
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
    const headers = { contentType: mediaType, contentDisposition: `attachment; filename="${fileName}"` };
    const stored = await putObject(bucket, `reports/${patientRef}/`, bytes, headers);
    const href = await linkToObject(bucket, stored, lifetimeSeconds, undefined, origin);
    return { href, sizeBytes: stored.sizeBytes, sha256: stored.sha256 };
  },
});
