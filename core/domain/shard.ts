/** The 256 shards of patients, named by the first two hex digits of patientRef. */
export const shards: readonly string[] = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
export const shardOf = (patientRef: string): string => patientRef.slice(0, 2);
