import { createHash } from 'node:crypto';
import { GetObjectCommand, NoSuchKey, PutObjectCommand } from '@aws-sdk/client-s3';
import type { PayloadReference } from '../contract/payload-reference.ts';
import type { ShardLine } from '../domain/diff.ts';
import { type Bucket, deletePrefix, getObject, putObject } from './objects.ts';

/**
 * The objects of a list, `lists/{listId}/…`. They are the list as it arrived (`segments/`), the order of its segments
 * (`manifests/{sha256}`), and the lines of its shards (`shards/{xx}/{0001}`).
 * The keys do not depend on the attempt, so a repeated attempt overwrites its own objects.
 */
export interface ListsStore {
  putSegment(listId: string, index: number, body: Buffer): Promise<PayloadReference>;
  /** Stores the segments that a list has so far, in order. */
  putManifest(listId: string, segments: readonly PayloadReference[]): Promise<PayloadReference>;
  /** @throws PayloadError if the manifest is missing or corrupt */
  readManifest(manifest: PayloadReference): Promise<readonly PayloadReference[]>;
  /**
   * Returns the bytes of the list as the insurer sent them, in small chunks.
   * @throws PayloadError if a segment is missing or corrupt
   */
  openSegments(segments: readonly PayloadReference[]): AsyncGenerator<Uint8Array>;
  /** @param part counts from 1 @param lines lines of `shardLineText` */
  putShardPart(listId: string, shard: string, part: number, lines: Uint8Array): Promise<void>;
  /** @param parts number of parts that `putShardPart` has stored @throws ShardPartMissing */
  readShard(listId: string, shard: string, parts: number): AsyncGenerator<ShardLine>;
  /** Deletes all objects of a list. Idempotent. */
  deleteList(listId: string): Promise<void>;
}

export class ShardPartMissing extends Error {
  override readonly name = 'ShardPartMissing';
}

/** A segment has megabytes. Small chunks keep the objects that are parsed from it out of memory at the same time. */
const chunkBytes = 64 * 1024;

export const shardLineText = (line: ShardLine): string => `${JSON.stringify(line)}\n`;

export function createListsStore(bucket: Bucket): ListsStore {
  const put = async (key: string, body: Uint8Array | string): Promise<void> => {
    await bucket.s3.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: body }));
  };
  /** Returns undefined if there is no such object. */
  const read = async (key: string): Promise<string | undefined> => {
    try {
      const { Body } = await bucket.s3.send(new GetObjectCommand({ Bucket: bucket.name, Key: key }));
      return (await Body?.transformToString('utf8')) ?? '';
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  };

  return {
    async putSegment(listId, index, body) {
      const key = `lists/${listId}/segments/${String(index).padStart(6, '0')}`;
      await put(key, body);
      return { key, sizeBytes: body.length, sha256: createHash('sha256').update(body).digest('hex') };
    },

    async putManifest(listId, segments) {
      return await putObject(bucket, `lists/${listId}/manifests/`, Buffer.from(JSON.stringify(segments)));
    },

    async readManifest(manifest) {
      return JSON.parse((await getObject(bucket, manifest)).toString('utf8')) as PayloadReference[];
    },

    async *openSegments(segments) {
      for (const segment of segments) {
        const bytes = await getObject(bucket, segment);
        for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
      }
    },

    async putShardPart(listId, shard, part, lines) {
      await put(partKey(listId, shard, part), lines);
    },

    async *readShard(listId, shard, parts) {
      for (let part = 1; part <= parts; part++) {
        const text = await read(partKey(listId, shard, part));
        if (text === undefined) throw new ShardPartMissing('a part of a shard is missing in the bucket');
        yield* linesOf(text);
      }
    },

    async deleteList(listId) {
      await deletePrefix(bucket, `lists/${listId}/`);
    },
  };
}

const partKey = (listId: string, shard: string, part: number): string =>
  `lists/${listId}/shards/${shard}/${String(part).padStart(4, '0')}`;

/** Parses what `shardLineText` wrote. */
export function* linesOf(text: string): Generator<ShardLine> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    yield JSON.parse(text.slice(start, end)) as ShardLine;
    start = end + 1;
  }
}
