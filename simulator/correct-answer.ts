import { pipeline, Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import type { RequestTarget } from './faults.ts';
import type { ListBody } from './list-body.ts';
import type { World } from './world.ts';

export interface Body {
  /** Undefined if not known in advance. Then the body is sent chunked. */
  sizeBytes: number | undefined;
  chunks(): AsyncIterable<Buffer> | Iterable<Buffer>;
}

export interface Answer {
  outcome: string;
  status: number;
  headers: Record<string, string>;
  body: Body;
}

/** Conditions of a request: Range, If-Range, If-None-Match and Accept-Encoding. */
export interface Conditions {
  range?: string;
  ifRange?: string;
  ifNoneMatch?: string;
  gzip: boolean;
}

export interface ListServing {
  etag: 'strong' | 'weak' | 'none';
  /** Whether a broken download of the list can be resumed. */
  ranges: boolean;
}

export const bytesBody = (bytes: Buffer): Body => ({ sizeBytes: bytes.length, chunks: () => [bytes] });
export const textBody = (text: string): Body => bytesBody(Buffer.from(text));
const noBody: Body = { sizeBytes: undefined, chunks: () => [] };

/** Returns the answer without any fault. */
export async function correctAnswer(
  world: World,
  list: ListBody,
  serving: ListServing,
  target: RequestTarget,
  asked: Conditions,
): Promise<Answer> {
  return target.kvnr === undefined ? listAnswer(list, serving, asked) : careAnswer(world, target.kvnr, asked);
}

async function listAnswer(list: ListBody, { etag, ranges }: ListServing, asked: Conditions): Promise<Answer> {
  const sizeBytes = await list.sizeBytes();
  const isZipped = asked.gzip && asked.range === undefined;
  const tag = `"${list.content.tag}${isZipped ? '-gzip' : ''}"`;
  const headers: Record<string, string> = { 'Content-Type': 'application/json; charset=utf-8' };
  if (etag !== 'none') headers['ETag'] = etag === 'weak' ? `W/${tag}` : tag;
  const hasRanges = ranges && etag === 'strong';
  if (hasRanges && !isZipped) headers['Accept-Ranges'] = 'bytes';
  if (etag !== 'none' && matches(asked.ifNoneMatch, list.content.tag)) return notModified(headers['ETag']);

  const from = hasRanges ? rangeStart(asked, tag) : undefined;
  if (from !== undefined && from >= sizeBytes) {
    const past = { ETag: tag, 'Content-Range': `bytes */${sizeBytes}` };
    return { outcome: 'range-past-end', status: 416, headers: past, body: textBody('no such range') };
  }
  if (from !== undefined) {
    headers['Content-Range'] = `bytes ${from}-${sizeBytes - 1}/${sizeBytes}`;
    return {
      outcome: 'ok',
      status: 206,
      headers,
      body: { sizeBytes: sizeBytes - from, chunks: () => list.chunks(from) },
    };
  }
  if (!isZipped) return { outcome: 'ok', status: 200, headers, body: { sizeBytes, chunks: () => list.chunks() } };
  headers['Content-Encoding'] = 'gzip';
  const zipped = (): AsyncIterable<Buffer> =>
    pipeline(Readable.from(list.chunks()), createGzip({ level: 1 }), () => {});
  return { outcome: 'ok', status: 200, headers, body: { sizeBytes: undefined, chunks: zipped } };
}

function careAnswer(world: World, kvnr: string, asked: Conditions): Answer {
  const kind = world.careKind(kvnr);
  if (kind !== 'ok') return problem(Number(kind));
  const tag = world.careTag(kvnr);
  if (matches(asked.ifNoneMatch, tag)) return notModified(`"${tag}"`);
  const bytes = Buffer.from(world.careRecords(kvnr) ?? '');
  return jsonAnswer(bytes, asked.gzip, `"${tag}${asked.gzip ? '-gzip' : ''}"`);
}

export function jsonAnswer(bytes: Buffer, gzip: boolean, etag?: string): Answer {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' };
  if (etag !== undefined) headers['ETag'] = etag;
  if (gzip) headers['Content-Encoding'] = 'gzip';
  return { outcome: 'ok', status: 200, headers, body: bytesBody(gzip ? gzipSync(bytes, { level: 1 }) : bytes) };
}

const outcomes: Record<number, string> = { 401: 'unauthorized', 403: 'forbidden', 404: 'unknown', 410: 'not-insured' };

export function problem(status: number, outcome = outcomes[status] ?? 'rejected-request'): Answer {
  const body = textBody(JSON.stringify({ type: 'about:blank', title: outcome, status }));
  return { outcome, status, headers: { 'Content-Type': 'application/problem+json' }, body };
}

export const notModified = (etag: string | undefined): Answer => ({
  outcome: 'not-modified',
  status: 304,
  headers: etag === undefined ? {} : { ETag: etag },
  body: noBody,
});

/** Returns the first byte of a valid range. Returns undefined if the whole list must be sent. */
function rangeStart({ range, ifRange }: Conditions, tag: string): number | undefined {
  const start = range?.match(/^bytes=(\d+)-$/)?.[1];
  if (start === undefined || (ifRange !== undefined && ifRange !== tag)) return undefined;
  return Number(start);
}

/** Compares weakly, as If-None-Match requires. The tag of a compressed answer stands for the same content. */
const matches = (header: string | undefined, tag: string): boolean =>
  (header ?? '')
    .split(',')
    .some((each) => [`"${tag}"`, `"${tag}-gzip"`, '*'].includes(each.trim().replace(/^W\//, '')));
