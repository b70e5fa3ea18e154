import { setImmediate as nextLoopTurn } from 'node:timers/promises';
import type { ListContent } from './world.ts';

const blockEntries = 512; // about 150 KB in one chunk

interface BlockStart {
  offsetBytes: number;
  isFirst: boolean;
}

/** The bytes of one list. They are generated each time they are sent, from any byte on, in constant memory. */
export class ListBody {
  readonly content: ListContent;
  readonly #blockStarts: BlockStart[] = [{ offsetBytes: 0, isFirst: true }];
  #measured: Promise<number> | undefined;

  constructor(content: ListContent) {
    this.content = content;
  }

  /** Returns the size in bytes. The first call generates the whole list once, one block per turn of the event loop. */
  sizeBytes(): Promise<number> {
    this.#measured ??= this.#measure();
    return this.#measured;
  }

  /**
   * Yields the bytes from a position on. Skips whole blocks without generating them.
   * @param fromByte must be below the size
   */
  async *chunks(fromByte = 0): AsyncGenerator<Buffer> {
    await this.sizeBytes();
    const at = Math.max(
      0,
      this.#blockStarts.findLastIndex((block) => block.offsetBytes <= fromByte),
    );
    let { offsetBytes } = this.#blockStarts[at] ?? { offsetBytes: 0 };
    for (let number = at; number < this.#blockStarts.length; number++) {
      const bytes = this.#blockBytes(number);
      const skip = Math.max(0, fromByte - offsetBytes);
      offsetBytes += bytes.length;
      if (skip < bytes.length) yield bytes.subarray(skip);
    }
  }

  async #measure(): Promise<number> {
    const blocks = Math.max(1, Math.ceil(this.content.positions / blockEntries));
    for (let number = 0; number < blocks; number++) {
      const { offsetBytes, isFirst } = this.#blockStarts[number] ?? { offsetBytes: 0, isFirst: true };
      const bytes = this.#blockBytes(number);
      const next = { offsetBytes: offsetBytes + bytes.length, isFirst: isFirst && bytes.length === 0 };
      if (number + 1 === blocks) return next.offsetBytes;
      this.#blockStarts.push(next);
      await nextLoopTurn();
    }
    return 0;
  }

  #blockBytes(number: number): Buffer {
    const to = Math.min(this.content.positions, (number + 1) * blockEntries);
    const texts: string[] = [];
    for (let position = number * blockEntries; position < to; position++) {
      const text = this.content.entryAt(position);
      if (text !== undefined) texts.push(text);
    }
    const isFirst = this.#blockStarts[number]?.isFirst ?? false;
    const isLast = to === this.content.positions;
    const joined = texts.join(',\n');
    const opening = isFirst ? (joined !== '' || isLast ? '[' : '') : joined !== '' ? ',\n' : '';
    return Buffer.from(opening + joined + (isLast ? ']\n' : ''));
  }
}
