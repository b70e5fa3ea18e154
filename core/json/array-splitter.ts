import { isUtf8 } from 'node:buffer';
import { fittingCharset } from './charset.ts';

/** Why a stream of bytes is not a JSON array. `truncated`: the stream ended before the array. */
export type JsonArrayFault = 'not-an-array' | 'truncated' | 'trailing-bytes' | 'syntax';

export class JsonArrayError extends Error {
  override readonly name = 'JsonArrayError';
  readonly fault: JsonArrayFault;
  /** position of the first wrong byte, from 0 */
  readonly bytePosition: number;
  constructor(fault: JsonArrayFault, bytePosition: number) {
    super(`JSON array ${fault}`);
    this.fault = fault;
    this.bytePosition = bytePosition;
  }
}

export interface JsonArrayLimits {
  readonly elementBytes: number;
  /** maximum nesting of objects and arrays; an element `{}` has depth 1 */
  readonly depth: number;
}

/** An element of the array, as it was written. */
export interface JsonArrayElement {
  /** its position in the array, from 0 */
  readonly position: number;
  /** the text of the element. Brackets and strings are closed; everything else is unchecked and may not be JSON */
  readonly text: string;
  /**
   * `too-large`: `text` holds only the beginning; `too-deep`: the element is nested deeper than allowed; `encoding`:
   * the bytes are not UTF-8, and wrong bytes are U+FFFD in `text`
   */
  readonly fault?: 'too-large' | 'too-deep' | 'encoding';
  /** of `encoding`: the charset in which the bytes would be text; absent if they are no text in the charset of the list */
  readonly fits?: NonNullable<ReturnType<typeof fittingCharset>>;
}

const byte = {
  quote: 0x22,
  comma: 0x2c,
  arrayStart: 0x5b,
  backslash: 0x5c,
  arrayEnd: 0x5d,
  objectStart: 0x7b,
  objectEnd: 0x7d,
} as const;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * What may follow a string within an element. Anything else follows a quote that is not escaped, or that is no JSON's: from
 * there on, texts and structure would be taken for each other.
 */
const afterStrings: ReadonlySet<number> = new Set([...',:]}'].map((char) => char.charCodeAt(0)));

// kinds of bytes outside of strings
const scalar = 0; // of numbers, true, false, null; and of what is no JSON, such as NaN, which belongs to one element
const space = 1;
const structure = 2;
const kinds = new Uint8Array(256);
for (const char of ' \t\n\r') kinds[char.charCodeAt(0)] = space;
for (const char of '{}[]:,"') kinds[char.charCodeAt(0)] = structure;

/** Where the next byte is in relation to the array. */
type ParserState =
  | 'before-array'
  | 'first-element'
  | 'next-element'
  | 'scalar'
  | 'within'
  | 'after-element'
  | 'after-array';

/**
 * Splits the bytes of one JSON array into its elements, and never holds more than one element (docs/adr/0007). Checks
 * only brackets and strings; the caller parses each element with JSON.parse. So a broken element does not affect the
 * others. But an element that leaves a string or a bracket open ends the stream, because the start of the next element
 * cannot be found.
 */
export class JsonArraySplitter {
  readonly #limits: JsonArrayLimits;
  /** objectEnd or arrayEnd for each open bracket; brackets deeper than the limit are only counted */
  readonly #open: Uint8Array;
  #depth = 0;
  #state: ParserState = 'before-array';
  #inString = false;
  #escaped = false;
  /** the last byte that is not white space has closed a string within an element */
  #afterString = false;
  /** the last element is an object */
  #afterObject = false;
  #position = 0;
  /** number of bytes in earlier chunks */
  #consumedBytes = 0;
  /** bytes of byte order marks that were matched so far: one before the array, any number behind it */
  #markBytes = 0;
  /** bytes of the current element from earlier chunks */
  #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #tooLarge = false;
  #tooDeep = false;

  constructor(limits: JsonArrayLimits) {
    this.#limits = limits;
    this.#open = new Uint8Array(limits.depth);
  }

  /**
   * Reads the next chunk, which may start and end anywhere, and returns the elements that end in it.
   * @throws JsonArrayError `not-an-array`, `trailing-bytes`, `syntax`. The elements of this chunk are lost, so the list
   *   is unusable
   */
  push(chunk: Uint8Array): JsonArrayElement[] {
    const elements: JsonArrayElement[] = [];
    let start = 0; // of the current element, within this chunk
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === byte.backslash) this.#escaped = true;
        else if (code === byte.quote) {
          this.#inString = false;
          if (this.#depth === 0) elements.push(this.#finishElement(chunk, start, at + 1));
          else this.#afterString = true;
        }
        continue;
      }
      const kind = kinds[code];
      if (this.#afterString && kind !== space) {
        if (!afterStrings.has(code)) throw this.#error('syntax', at);
        this.#afterString = false;
      }
      switch (this.#state) {
        case 'within':
          if (code === byte.quote) this.#inString = true;
          else if (code === byte.objectStart || code === byte.arrayStart) this.#openBracket(code);
          else if (code === byte.objectEnd || code === byte.arrayEnd) {
            this.#closeBracket(code, at);
            if (this.#depth === 0) elements.push(this.#finishElement(chunk, start, at + 1));
          }
          break;
        case 'after-element':
        case 'scalar':
          if (this.#state === 'scalar') {
            if (kind === scalar) break;
            elements.push(this.#finishElement(chunk, start, at));
          }
          if (kind === space) break;
          if (code === byte.comma) this.#state = 'next-element';
          else if (code === byte.arrayEnd) this.#state = 'after-array';
          else if (code === byte.objectStart && this.#afterObject) {
            start = at; // a comma is missing between two objects
            this.#state = 'within';
            this.#openBracket(code);
          } else throw this.#error('syntax', at);
          break;
        case 'first-element':
        case 'next-element':
          if (kind === space) break;
          if (code === byte.arrayEnd && this.#state === 'first-element') {
            this.#state = 'after-array';
            break;
          }
          start = at;
          if (code === byte.comma || code === byte.arrayEnd) {
            elements.push(this.#finishElement(chunk, at, at)); // nothing, which is no JSON either
            this.#state = code === byte.comma ? 'next-element' : 'after-array';
            break;
          }
          if (kind === scalar) this.#state = 'scalar';
          else {
            this.#state = 'within';
            if (code === byte.quote) this.#inString = true;
            else if (code === byte.objectStart || code === byte.arrayStart) this.#openBracket(code);
            else throw this.#error('syntax', at);
          }
          break;
        case 'before-array':
          if (this.#consumedBytes + at === this.#markBytes && code === byteOrderMark[this.#markBytes]) {
            this.#markBytes += 1;
            break;
          }
          if (this.#markBytes % byteOrderMark.length !== 0) throw this.#error('not-an-array', at);
          if (kind === space) break;
          if (code !== byte.arrayStart) throw this.#error('not-an-array', at);
          this.#state = 'first-element';
          break;
        case 'after-array':
          if (code === byteOrderMark[this.#markBytes % byteOrderMark.length]) this.#markBytes += 1;
          else if (this.#markBytes % byteOrderMark.length !== 0 || (kind !== space && code !== 0))
            throw this.#error('trailing-bytes', at);
          break;
      }
    }
    if (this.#state === 'within' || this.#state === 'scalar') this.#buffer(chunk, start, chunk.length);
    this.#consumedBytes += chunk.length;
    return elements;
  }

  /** Ends the stream. @throws JsonArrayError `truncated` */
  end(): void {
    if (this.#state !== 'after-array') throw new JsonArrayError('truncated', this.#consumedBytes);
  }

  #openBracket(code: number): void {
    if (this.#depth < this.#open.length)
      this.#open[this.#depth] = code + 2; // in ASCII, the closing bracket is the opening bracket plus 2
    else this.#tooDeep = true;
    this.#depth += 1;
  }

  #closeBracket(code: number, at: number): void {
    this.#depth -= 1;
    if (this.#depth < this.#open.length && this.#open[this.#depth] !== code) throw this.#error('syntax', at);
  }

  #buffer(chunk: Uint8Array, start: number, end: number): void {
    const room = this.#limits.elementBytes - this.#bufferedBytes;
    if (end - start > room) this.#tooLarge = true;
    if (room <= 0 || start === end) return;
    const part = Buffer.from(chunk.subarray(start, Math.min(end, start + room))); // a copy, so that the chunk can be freed
    this.#buffered.push(part);
    this.#bufferedBytes += part.length;
  }

  #finishElement(chunk: Uint8Array, start: number, end: number): JsonArrayElement {
    const isWhole = this.#buffered.length === 0 && end - start <= this.#limits.elementBytes;
    if (!isWhole) this.#buffer(chunk, start, end);
    const bytes = isWhole
      ? Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start)
      : Buffer.concat(this.#buffered, this.#bufferedBytes);
    const fault = this.#faultOf(bytes);
    const fits = fault === 'encoding' ? fittingCharset(bytes) : undefined;
    const element = {
      position: this.#position,
      text: bytes.toString('utf8'),
      ...(fault && { fault }),
      ...(fits && { fits }),
    };
    this.#afterObject = bytes[0] === byte.objectStart;
    this.#position += 1;
    this.#state = 'after-element';
    this.#buffered = [];
    this.#bufferedBytes = 0;
    this.#tooLarge = false;
    this.#tooDeep = false;
    return element;
  }

  #faultOf(bytes: Uint8Array): JsonArrayElement['fault'] {
    if (this.#tooLarge) return 'too-large';
    if (this.#tooDeep) return 'too-deep';
    return isUtf8(bytes) ? undefined : 'encoding';
  }

  #error(fault: JsonArrayFault, at: number): JsonArrayError {
    return new JsonArrayError(fault, this.#consumedBytes + at);
  }
}

/**
 * Splits the chunks of one JSON array into its elements. Yields the elements of each chunk together.
 * @throws JsonArrayError
 */
export async function* splitJsonArray(
  chunks: AsyncIterable<Uint8Array>,
  limits: JsonArrayLimits,
): AsyncGenerator<JsonArrayElement[]> {
  const splitter = new JsonArraySplitter(limits);
  for await (const chunk of chunks) yield splitter.push(chunk);
  splitter.end();
}
