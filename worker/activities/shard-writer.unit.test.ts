import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShardWriter } from './shard-writer.ts';

const partBytes = 256 * 1024;
const line = fc.tuple(
  fc.constantFrom(0, 1, 255),
  fc.constantFrom(1, 100_000, 131_072, 262_144, 300_000),
  fc.constantFrom('x', 'é'),
);

test('all lines of a shard are written in order, in parts of at most 256 KiB unless a single line is longer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
      const parts = new Map<string, Buffer[]>();
      const writer = new ShardWriter(async (shard, part, bytes) => {
        await Promise.resolve();
        const ofShard = parts.get(shard) ?? [];
        ofShard[part - 1] = Buffer.from(bytes);
        parts.set(shard, ofShard);
      });
      const expected = new Map<string, string>();
      for (const [index, [shardIndex, length, char]] of lines.entries()) {
        const text = `${index}${char.repeat(length / Buffer.byteLength(char))}\n`;
        const shard = shardIndex.toString(16).padStart(2, '0');
        expected.set(shard, (expected.get(shard) ?? '') + text);
        writer.add(shardIndex, text);
        await writer.drain();
      }
      await writer.finish();
      const written = new Map([...parts].map(([shard, ofShard]) => [shard, Buffer.concat(ofShard).toString()]));
      expect(written).toEqual(expected);
      for (const [shard, ofShard] of parts) {
        expect(writer.parts[Number.parseInt(shard, 16)]).toBe(ofShard.length);
        for (const part of ofShard)
          expect(part.length <= partBytes || part.indexOf('\n') === part.length - 1).toBe(true);
      }
    }),
    { numRuns: 40 },
  );
});

test('a failed write fails the writer, once all other writes have ended', async () => {
  let running = 0;
  const writer = new ShardWriter(async (shard) => {
    running += 1;
    await new Promise(setImmediate);
    running -= 1;
    if (shard === '01') throw new Error('bucket is away');
  });
  for (const shardIndex of [0, 1, 2]) writer.add(shardIndex, 'line\n');
  await expect(writer.finish()).rejects.toThrow('bucket is away');
  await writer.abandon();
  expect(running).toBe(0);
});
