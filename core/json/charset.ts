/** Byte order marks and their charsets (Encoding Standard, 6). */
const marks = [
  { charset: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { charset: 'utf-16le', bytes: [0xff, 0xfe] },
  { charset: 'utf-16be', bytes: [0xfe, 0xff] },
] as const;

export const byteOrderMarks: readonly Buffer[] = marks.map(({ bytes }) => Buffer.from(bytes));

/**
 * Returns the charset of a body: that of its byte order mark, otherwise the one that the header declares, otherwise UTF-8,
 * which JSON must have (RFC 8259, 8.1).
 * @param start at least the first three bytes, if the body has as many
 * @param contentType of the answer, such as `application/json; charset=ISO-8859-1`
 */
export function charsetOf(start: Uint8Array, contentType = ''): string {
  const marked = marks.find(({ bytes }) => bytes.every((byte, at) => start[at] === byte));
  if (marked !== undefined) return marked.charset;
  const [, declared = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType) ?? [];
  try {
    return new TextDecoder(declared).encoding; // ISO-8859-1 is read as windows-1252, of which it is a part
  } catch {
    return 'utf-8'; // an unknown name
  }
}

/** Returns a body as UTF-8 without byte order mark. @throws TypeError if it is no text in its charset */
export function toUtf8(body: Buffer, contentType?: string): Buffer {
  const charset = charsetOf(body, contentType);
  const text = new TextDecoder(charset, { fatal: true }).decode(body); // removes a byte order mark
  return charset === 'utf-8' && body[0] !== marks[0].bytes[0] ? body : Buffer.from(text);
}

/**
 * Returns the chunks of a text as UTF-8 without byte order mark. Bytes that are no text become U+FFFD.
 * @param charset of `charsetOf`
 */
export async function* asUtf8(chunks: AsyncIterable<Uint8Array>, charset: string): AsyncGenerator<Uint8Array> {
  if (charset === 'utf-8') return yield* chunks;
  const decoder = new TextDecoder(charset);
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

/** Returns the charset in which bytes that are no UTF-8 are text: only windows-1252 has letters from 0x80 to 0x9f. */
export const fittingCharset = (bytes: Uint8Array): 'ISO-8859-1' | 'windows-1252' =>
  bytes.some((byte) => byte >= 0x80 && byte <= 0x9f) ? 'windows-1252' : 'ISO-8859-1';
