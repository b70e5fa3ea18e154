/** Byte order marks and their charsets (Encoding Standard, 6). */
const marks = [
  { charset: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { charset: 'utf-16le', bytes: [0xff, 0xfe] },
  { charset: 'utf-16be', bytes: [0xfe, 0xff] },
] as const;

export const byteOrderMarks: readonly Buffer[] = marks.map(({ bytes }) => Buffer.from(bytes));

/**
 * Returns the form of UTF-16 that a body has. JSON starts with an ASCII character, so one of its first two bytes is 0, and none of
 * UTF-8 (RFC 4627, 3).
 * @param start at least the first two bytes; undefined with fewer
 */
export function utf16Of(start: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | undefined {
  const [first, second] = start;
  if (first === undefined || second === undefined || (first === 0) === (second === 0)) return undefined;
  return first === 0 ? 'UTF-16BE' : 'UTF-16LE';
}

/**
 * Returns the charset of a body: that of its byte order mark, otherwise the one that the header declares, otherwise UTF-8,
 * which JSON must have (RFC 8259, 8.1). The first bytes show whether a declared UTF-16 is one, and its byte order.
 * @param start at least the first three bytes, if the body has as many
 * @param contentType of the answer, such as `application/json; charset=ISO-8859-1`
 */
export function charsetOf(start: Uint8Array, contentType = ''): string {
  const marked = marks.find(({ bytes }) => bytes.every((byte, at) => start[at] === byte));
  if (marked !== undefined) return marked.charset;
  const [, declared = 'utf-8'] = /;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(contentType) ?? [];
  try {
    const { encoding } = new TextDecoder(declared); // ISO-8859-1 is read as windows-1252, of which it is a part
    return encoding.startsWith('utf-16') ? (utf16Of(start)?.toLowerCase() ?? 'utf-8') : encoding;
  } catch {
    return 'utf-8'; // an unknown name
  }
}

/** Returns a body as UTF-8 without byte order mark. @throws TypeError if it is no text in its charset, or UTF-16 that declares nothing */
export function toUtf8(body: Buffer, contentType?: string): Buffer {
  const charset = charsetOf(body, contentType);
  if (charset === 'utf-8' && utf16Of(body) !== undefined) throw new TypeError('UTF-16');
  const text = new TextDecoder(charset, { fatal: true }).decode(body); // removes a byte order mark
  return charset === 'utf-8' && body[0] !== marks[0].bytes[0] ? body : Buffer.from(text);
}

/** Returns JSON in UTF-8 without the white space, NUL and byte order marks that may follow it. */
export function withoutTail(json: Buffer): Buffer {
  const [{ bytes: mark }] = marks;
  for (let end = json.length; ; ) {
    if (tailBytes.has(json[end - 1])) end -= 1;
    else if (mark.every((byte, at) => json[end - mark.length + at] === byte)) end -= mark.length;
    else return json.subarray(0, end);
  }
}

const tailBytes: ReadonlySet<number | undefined> = new Set([0, 0x09, 0x0a, 0x0d, 0x20]);

/** In place of bytes that are no text: no UTF-8, and no letters that follow each other in any other charset. */
const broken = Buffer.of(0xfe, 0xff);

/**
 * Returns the chunks of a text as UTF-8 without byte order mark. Bytes that are no text become two bytes that are no UTF-8, so
 * that a reader notices them. So does U+FFFD, because a decoder does not say whether it was sent.
 * @param charset of `charsetOf`
 */
export async function* asUtf8(chunks: AsyncIterable<Uint8Array>, charset: string): AsyncGenerator<Uint8Array> {
  if (charset === 'utf-8') return yield* chunks;
  const decoder = new TextDecoder(charset);
  for await (const chunk of chunks) yield encoded(decoder.decode(chunk, { stream: true }));
  yield encoded(decoder.decode());
}

function encoded(text: string): Buffer {
  if (!text.includes('\ufffd')) return Buffer.from(text);
  const parts = text.split('\ufffd').flatMap((part) => [broken, Buffer.from(part)]);
  return Buffer.concat(parts.slice(1));
}

/**
 * Returns the charset in which bytes that are no UTF-8 are text: only windows-1252 has letters from 0x80 to 0x9f. Returns
 * undefined for what `asUtf8` has made of bytes that are no text.
 */
export function fittingCharset(bytes: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | 'ISO-8859-1' | 'windows-1252' | undefined {
  const utf16 = utf16Of(bytes);
  if (utf16 !== undefined) return utf16;
  if (Buffer.from(bytes).includes(broken)) return undefined;
  return bytes.some((byte) => byte >= 0x80 && byte <= 0x9f) ? 'windows-1252' : 'ISO-8859-1';
}
