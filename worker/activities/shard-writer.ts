import { shards } from '../../core/domain/shard.ts';

const partBytes = 256 * 1024;
const putsAtOnce = 8;

interface OpenPart {
  readonly bytes: Buffer;
  usedBytes: number;
}

/**
 * Spreads lines over 256 shards, each in parts of at most 256 KiB (one line may be larger): holds at most one open part a
 * shard, 64 MiB in all. The same lines in the same order make the same parts.
 */
export class ShardWriter {
  /** how many parts each shard has so far */
  readonly parts: number[] = shards.map(() => 0);
  readonly #put: (shard: string, part: number, lines: Uint8Array) => Promise<void>;
  readonly #open = new Map<number, OpenPart>();
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(put: (shard: string, part: number, lines: Uint8Array) => Promise<void>) {
    this.#put = put;
  }

  /** Takes one line, its line break included. `drain` is to be called now and then. */
  add(shardIndex: number, line: string): void {
    const sizeBytes = Buffer.byteLength(line);
    let part = this.#open.get(shardIndex);
    if (part !== undefined && part.usedBytes + sizeBytes > part.bytes.length) {
      this.#close(shardIndex, part);
      part = undefined;
    }
    if (part === undefined) {
      part = { bytes: Buffer.allocUnsafeSlow(Math.max(partBytes, sizeBytes)), usedBytes: 0 };
      this.#open.set(shardIndex, part);
    }
    part.usedBytes += part.bytes.write(line, part.usedBytes);
  }

  /** Waits until few parts are on their way. @throws what a put has failed with */
  async drain(atMost = putsAtOnce): Promise<void> {
    while (this.#underWay.size > atMost) await Promise.race(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  /** Writes what is left. @throws what a put has failed with */
  async finish(): Promise<void> {
    for (const [shardIndex, part] of this.#open) {
      this.#close(shardIndex, part);
      await this.drain();
    }
    await this.drain(0);
  }

  /** Waits for what is on its way, so that whoever cleans up afterwards meets no late write. */
  async abandon(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #close(shardIndex: number, { bytes, usedBytes }: OpenPart): void {
    this.#open.delete(shardIndex);
    const number = (this.parts[shardIndex] ?? 0) + 1;
    this.parts[shardIndex] = number;
    const put = this.#put(shards[shardIndex] ?? '', number, bytes.subarray(0, usedBytes))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(put));
    this.#underWay.add(put);
  }
}
