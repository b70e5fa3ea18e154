import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { type LineContext, LineError } from '../line/line-error.ts';

/** The body of an error is nobody's need, but reading it keeps the connection; beyond this it is not worth it. */
const drainedBytesMax = 256 * 1024;

/** Deeper than any sound answer, and shallow enough for whoever walks it recursively later. */
export const nestingMax = 256;

/** Some 50 000 care records of one patient. An array of so many elements takes no more than some 100 MB of memory. */
const valuesMax = 500_000;

/**
 * The whole body, decoded. The cap counts decoded bytes, so that a small body cannot unfold in memory, and raw ones.
 * @throws LineError `contract` for an encoding nobody asked for, `cut-short`, `not-json` when it is no gzip, `too-large`
 */
export async function readWhole(
  { headers, body }: ExchangeAnswer,
  maxBytes: number,
  operation: LineContext['operation'],
): Promise<Buffer> {
  const encoding = (headers['content-encoding'] ?? 'identity').toLowerCase();
  if (!hasDeclaredEnd(headers)) throw new LineError('cut-short', { operation, problem: 'no end declared' });
  const chunks: Buffer[] = [];
  const collect = async (decoded: AsyncIterable<Buffer>): Promise<void> => {
    let bytes = 0;
    for await (const chunk of decoded) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new LineError('too-large', { operation });
      chunks.push(chunk);
    }
  };
  const raw = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new LineError('too-large', { operation });
      yield chunk;
    }
  };
  if (encoding === 'identity' || encoding === '') await collect(body);
  else if (encoding === 'gzip' || encoding === 'x-gzip')
    await pipeline(body, raw, createGunzip(), collect).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw error;
      const fault = error.code === 'Z_BUF_ERROR' ? 'cut-short' : 'not-json';
      throw new LineError(fault, { operation, problem: 'gzip' }, { cause: error });
    });
  else throw new LineError('contract', { operation, problem: 'content-encoding' });
  return Buffer.concat(chunks);
}

/** An answer that ends with its connection could be cut anywhere, and nobody would know. */
export const hasDeclaredEnd = (headers: ExchangeAnswer['headers']): boolean =>
  headers['content-length'] !== undefined || /\bchunked\b/i.test(headers['transfer-encoding'] ?? '');

/**
 * Reads a body that nobody needs to its end. One that drips is not waited for: the line is for others too.
 * @param withinMs for all of it, however it comes
 * @throws LineError `stalled` when it has not ended by then, `contract` past 256 KiB; the line's own faults
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

/** Reads on so that the connection can be kept; whether that works is of no interest: the fault is the status. */
export const drain = (...of: Parameters<typeof readToEnd>): Promise<void> => readToEnd(...of).catch(() => {});

/**
 * UTF-8 JSON, not nested deeper than nestingMax, of at most valuesMax values. Both are looked at in the bytes, before
 * anything is made of them: 64 MiB of `[],[],` are gigabytes once they are parsed.
 * @throws LineError `not-json`, `contract` when nested too deep, `too-large` when there are too many values
 */
export function parseJson(body: Buffer, operation: LineContext['operation']): unknown {
  const { deepest, values } = shapeOf(body);
  if (deepest > nestingMax) throw new LineError('contract', { operation, problem: 'nested too deep' });
  if (values > valuesMax) throw new LineError('too-large', { operation, problem: 'too many values' });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new LineError('not-json', { operation }); // no cause: V8 quotes the text in its message
  }
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** How deep the arrays and objects of JSON are nested, and how many values it has at most. */
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

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(quote, start + 1); ; end = json.indexOf(quote, end + 1)) {
    if (end === -1) return json.length;
    let backslashes = 0;
    while (json[end - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}
