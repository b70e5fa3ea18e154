import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { ListContent } from './world.ts';

const stretch = 512; // entries between two marks, and in one chunk: about 150 KB

interface Mark {
  offsetBytes: number;
  isFirst: boolean;
}

/** The bytes of one list, made anew each time they are sent: from any byte on, in constant memory. */
export class ListBody {
  readonly content: ListContent;
  private readonly marks: Mark[] = [{ offsetBytes: 0, isFirst: true }];
  private measured: Promise<number> | undefined;

  constructor(content: ListContent) {
    this.content = content;
  }

  /** Size in bytes. The first call goes through the whole list once, a stretch a turn of the event loop. */
  sizeBytes(): Promise<number> {
    this.measured ??= this.measure();
    return this.measured;
  }

  /** @param fromByte must be below the size; a mark is found at once, only its stretch is made in vain */
  async *chunks(fromByte = 0): AsyncGenerator<Buffer> {
    await this.sizeBytes();
    const at = Math.max(
      0,
      this.marks.findLastIndex((mark) => mark.offsetBytes <= fromByte),
    );
    let { offsetBytes } = this.marks[at] ?? { offsetBytes: 0 };
    for (let number = at; number < this.marks.length; number++) {
      const bytes = this.stretchBytes(number);
      const skip = Math.max(0, fromByte - offsetBytes);
      offsetBytes += bytes.length;
      if (skip < bytes.length) yield bytes.subarray(skip);
    }
  }

  private async measure(): Promise<number> {
    const stretches = Math.max(1, Math.ceil(this.content.positions / stretch));
    for (let number = 0; number < stretches; number++) {
      const { offsetBytes, isFirst } = this.marks[number] ?? { offsetBytes: 0, isFirst: true };
      const bytes = this.stretchBytes(number);
      const next = { offsetBytes: offsetBytes + bytes.length, isFirst: isFirst && bytes.length === 0 };
      if (number + 1 === stretches) return next.offsetBytes;
      this.marks.push(next);
      await turnOfTheLoop();
    }
    return 0;
  }

  private stretchBytes(number: number): Buffer {
    const to = Math.min(this.content.positions, (number + 1) * stretch);
    const texts: string[] = [];
    for (let position = number * stretch; position < to; position++) {
      const text = this.content.entryAt(position);
      if (text !== undefined) texts.push(text);
    }
    const isFirst = this.marks[number]?.isFirst ?? false;
    const isLast = to === this.content.positions;
    const joined = texts.join(',\n');
    const opening = isFirst ? (joined !== '' || isLast ? '[' : '') : joined !== '' ? ',\n' : '';
    return Buffer.from(opening + joined + (isLast ? ']\n' : ''));
  }
}
