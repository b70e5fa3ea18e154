import { shards } from '../../core/domain/shard.ts';

const partBytes = 256 * 1024;
const parallelPuts = 8;

interface OpenPart {
  readonly bytes: Buffer;
  usedBytes: number;
}

/**
 * Distributes lines over 256 shards and writes each shard in parts of at most 256 KiB (a single line may be larger). Holds
 * one open part per shard, at most 64 MiB in total. The same lines in the same order produce the same parts.
 */
export class ShardWriter {
  /** the number of parts of each shard so far */
  readonly parts: number[] = shards.map(() => 0);
  readonly #putPart: (shard: string, part: number, lines: Uint8Array) => Promise<void>;
  readonly #openParts = new Map<number, OpenPart>();
  readonly #pendingPuts = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(put: (shard: string, part: number, lines: Uint8Array) => Promise<void>) {
    this.#putPart = put;
  }

  /** Adds one line, which includes its line break. Call `drain` regularly, or parts pile up in memory. */
  add(shardIndex: number, line: string): void {
    const sizeBytes = Buffer.byteLength(line);
    let part = this.#openParts.get(shardIndex);
    if (part !== undefined && part.usedBytes + sizeBytes > part.bytes.length) {
      this.#closePart(shardIndex, part);
      part = undefined;
    }
    if (part === undefined) {
      part = { bytes: Buffer.allocUnsafeSlow(Math.max(partBytes, sizeBytes)), usedBytes: 0 };
      this.#openParts.set(shardIndex, part);
    }
    part.usedBytes += part.bytes.write(line, part.usedBytes);
  }

  /** Waits until at most `atMost` parts are being written. @throws the error of a failed write */
  async drain(atMost = parallelPuts): Promise<void> {
    while (this.#pendingPuts.size > atMost) await Promise.race(this.#pendingPuts);
    if (this.#failure) throw this.#failure.error;
  }

  /** Writes the open parts and waits for all writes. @throws the error of a failed write */
  async finish(): Promise<void> {
    for (const [shardIndex, part] of this.#openParts) {
      this.#closePart(shardIndex, part);
      await this.drain();
    }
    await this.drain(0);
  }

  /** Waits for the writes in flight, so that a cleanup afterwards meets no late write. */
  async abandon(): Promise<void> {
    await Promise.all(this.#pendingPuts);
  }

  #closePart(shardIndex: number, { bytes, usedBytes }: OpenPart): void {
    this.#openParts.delete(shardIndex);
    const number = (this.parts[shardIndex] ?? 0) + 1;
    this.parts[shardIndex] = number;
    const put = this.#putPart(shards[shardIndex] ?? '', number, bytes.subarray(0, usedBytes))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#pendingPuts.delete(put));
    this.#pendingPuts.add(put);
  }
}
