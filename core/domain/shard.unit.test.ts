import { expect, test } from 'vitest';
import { shardIndexesIn, shardSetOf, shards } from './shard.ts';

test('a set of shards has its members, and at most 64 digits', () => {
  for (const members of [[], ['00'], ['03', '00', 'ff'], shards]) {
    const set = shardSetOf(members);
    expect([...shardIndexesIn(set)].map((index) => shards[index])).toEqual(members.toSorted());
    expect(set.length).toBeLessThanOrEqual(64);
  }
  expect(shardSetOf(['03'])).toBe('8');
});
