import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { type LineContext, LineError } from '../line/line-error.ts';

/** Maximum size of an unneeded body that is read to keep the connection. A new connection costs less than a larger body. */
const drainedBytesMax = 256 * 1024;

/** Maximum nesting of care records: deeper than any valid answer, and shallow enough for recursive code. */
export const nestingMax = 256;

/** Maximum number of JSON values: about 50 000 care records of one patient, and about 100 MB of memory. */
const valuesMax = 500_000;

/** Names that servers give to no encoding at all; only `identity` is in RFC 9110, 8.4.1. */
const identities: ReadonlySet<string> = new Set(['', 'identity', 'none', 'utf-8', 'utf8']);
const gzipMark = Buffer.of(0x1f, 0x8b); // RFC 1952, 2.3.1

/** Returns the encoding that the headers of an answer declare. */
export function encodingOf(headers: ExchangeAnswer['headers']): 'identity' | 'gzip' | 'unknown' {
  const names = (headers['content-encoding'] ?? '').toLowerCase().split(',');
  const [encoding, ...others] = names.map((name) => name.trim()).filter((name) => !identities.has(name));
  if (encoding === undefined) return 'identity';
  return others.length === 0 && (encoding === 'gzip' || encoding === 'x-gzip') ? 'gzip' : 'unknown';
}

/**
 * Yields the decoded body as it arrives. A body that says gzip and does not start like gzip is plain: a proxy has unpacked it
 * and kept the header. This hides no damage, because what follows must still be complete JSON.
 * @param rawMaxBytes limit before decoding
 * @throws LineError `contract` for an encoding other than gzip, `cut-short`, `not-json` if it is damaged gzip, `too-large`
 */
export async function* decode(
  { status, headers, body }: ExchangeAnswer,
  operation: LineContext['operation'],
  rawMaxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  const encoding = encodingOf(headers);
  if (encoding === 'unknown') throw new LineError('contract', { operation, status, problem: 'content-encoding' });
  const raw = limited(body as AsyncIterable<Buffer>, rawMaxBytes, { operation, status });
  if (encoding === 'identity') return yield* raw;
  const { head, chunks } = await withHead(raw, gzipMark.length);
  if (!head.equals(gzipMark.subarray(0, head.length))) return yield* chunks;
  try {
    yield* pipeline(chunks, createGunzip(), () => {}) as AsyncIterable<Buffer>; // the iteration throws the error of either
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw error;
    const fault = error.code === 'Z_BUF_ERROR' ? 'cut-short' : 'not-json';
    throw new LineError(fault, { operation, status, problem: 'gzip' }, { cause: error });
  }
}

/** Yields the chunks of a body. @throws LineError `too-large` if it has more bytes */
async function* limited(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
  context: Pick<LineContext, 'operation' | 'status'>,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new LineError('too-large', { ...context, problem: 'too large' });
    yield chunk;
  }
}

/** Returns the first bytes of a body, and the whole body. `head` is shorter if the body is. */
async function withHead(
  body: AsyncGenerator<Buffer>,
  headBytes: number,
): Promise<{ head: Buffer; chunks: AsyncGenerator<Buffer> }> {
  let start = Buffer.alloc(0);
  while (start.length < headBytes) {
    const { done, value } = await body.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  const chunks = async function* (): AsyncGenerator<Buffer> {
    if (start.length > 0) yield start;
    yield* body;
  };
  return { head: start.subarray(0, headBytes), chunks: chunks() };
}

/**
 * Reads and decodes the whole body.
 * @param maxBytes limit of both raw and decoded bytes, so that a small body cannot fill the memory
 * @throws LineError as `decode`
 */
export async function readWhole(
  answer: ExchangeAnswer,
  maxBytes: number,
  operation: LineContext['operation'],
): Promise<Buffer> {
  const decoded = decode(answer, operation, maxBytes);
  return Buffer.concat(await Array.fromAsync(limited(decoded, maxBytes, { operation, status: answer.status })));
}

/**
 * Reads an unneeded body to its end. A slow body is given up, because other requests wait for the line.
 * @param withinMs time limit for the whole body
 * @throws LineError `stalled` after the time limit, `contract` above 256 KiB; the line's own faults
 */
export async function readToEnd(
  { body, status }: ExchangeAnswer,
  withinMs: number,
  operation: LineContext['operation'],
  clock: Clock = systemClock,
): Promise<void> {
  const context = { operation, status, problem: 'body without end' };
  const cancelDeadline = clock.after(withinMs, () => body.destroy(new LineError('stalled', context)));
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += (chunk as Buffer).length;
      if (bytes > drainedBytesMax) throw new LineError('contract', context);
    }
  } finally {
    cancelDeadline();
  }
}

/** Reads an unneeded body so that the connection can be reused. Ignores failures: the status decides the fault. */
export const drain = (...of: Parameters<typeof readToEnd>): Promise<void> => readToEnd(...of).catch(() => {});

/**
 * Parses UTF-8 JSON. Its shape is checked on the bytes before, because 64 MiB of `[],[],` would take gigabytes of memory.
 * @returns the value. Of JSON with more than nestingMax levels, only the outermost one, with null for each array and object in it
 * @throws LineError `not-json`, `too-large` if it has more than valuesMax values
 */
export function parseJson(
  body: Buffer,
  operation: LineContext['operation'],
): { readonly value: unknown; readonly isTooDeep: boolean } {
  const shape = shapeOf(body);
  const isTooDeep = shape.deepest > nestingMax;
  const json = isTooDeep ? outermostOf(body) : body;
  const { values } = isTooDeep ? shapeOf(json) : shape;
  if (values > valuesMax) throw new LineError('too-large', { operation, problem: 'too many values' });
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json)), isTooDeep };
  } catch {
    throw new LineError('not-json', { operation }); // no cause: V8's message quotes the text
  }
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** Returns the nesting of JSON, and an upper limit of its number of values. */
function shapeOf(json: Buffer): { deepest: number; values: number } {
  let depth = 0;
  let deepest = 0;
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at);
    else if (byte === comma) values++;
    else if (byte === openBrace || byte === openBracket) {
      values++;
      deepest = Math.max(deepest, ++depth);
    } else if (byte === closeBrace || byte === closeBracket) depth--;
  }
  return { deepest, values };
}

/** Returns the outermost object or array, with null for each one in it. It is no JSON if a bracket is not closed. */
function outermostOf(json: Buffer): Buffer {
  const parts: Buffer[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at);
    else if (byte === openBrace || byte === openBracket) {
      if (++depth === 2) parts.push(json.subarray(start, at), Buffer.from('null'));
    } else if ((byte === closeBrace || byte === closeBracket) && --depth === 1) start = at + 1;
  }
  return Buffer.concat(depth > 1 ? parts : [...parts, json.subarray(start)]);
}

/** Returns the index of the quote that ends the string starting at `start`. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(quote, start + 1); ; end = json.indexOf(quote, end + 1)) {
    if (end === -1) return json.length;
    let backslashes = 0;
    while (json[end - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}
