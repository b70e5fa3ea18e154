/** Stands for a payload in Temporal (claim-check pattern): its key in the bucket, its size and its hash. */
export interface PayloadReference {
  readonly key: string;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
}
