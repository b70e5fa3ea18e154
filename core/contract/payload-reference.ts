/** Stands for a payload in Temporal (claim-check pattern): where it lies in the bucket, and what it must be. */
export interface PayloadReference {
  readonly key: string;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
}
