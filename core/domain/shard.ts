/** The 256 shards of patients, named by the first two hex digits of patientRef. */
export const shards: readonly string[] = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
export const shardOf = (patientRef: string): string => patientRef.slice(0, 2);

/** Returns a set of shards as a hexadecimal number of at most 64 digits: bit n stands for shard n. */
export function shardSetOf(members: Iterable<string>): string {
  let bits = 0n;
  for (const shard of members) bits |= 1n << BigInt(shards.indexOf(shard));
  return bits.toString(16);
}
/** Returns the indexes of the shards in a set. */
export function shardIndexesIn(shardSet: string): ReadonlySet<number> {
  const bits = BigInt(`0x${shardSet}`);
  return new Set(shards.keys().filter((index) => (bits >> BigInt(index)) & 1n));
}
