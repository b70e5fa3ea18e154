import { LineError } from '../../line/line-error.ts';
import { encodingOf } from '../answer-body.ts';
import type { InsurerRequest, ListApi } from '../insurer-adapter.ts';
import { keepable } from './etag.ts';

/**
 * The list: one JSON array. The position is its strong ETag, with which a range request continues at any byte (RFC 9110, 14).
 * Of an answer that contradicts `resume`, only another ETag makes the received bytes void.
 */
export const listApi = (basePath: string, commonHeaders: InsurerRequest['headers']): ListApi => ({
  request: ({ knownEtag, resume }) => ({
    path: `${basePath}/patients`,
    headers: {
      ...commonHeaders,
      'accept-encoding': 'identity', // ranges count the bytes of the body
      ...(resume && !resume.isWhole && { range: `bytes=${resume.from}-`, 'if-range': resume.position }),
      ...(!resume && knownEtag !== undefined && { 'if-none-match': knownEtag }),
    },
  }),
  async read(answer, { knownEtag, resume }, sink) {
    const operation = 'patients';
    const { status, headers } = answer;
    const contract = (problem: string): LineError => new LineError('contract', { operation, status, problem });
    if (status === 304 && !resume && knownEtag !== undefined) {
      await answer.drain();
      return 'unchanged';
    }
    if (status === 416 && resume && !resume.isWhole) {
      await answer.drain();
      if (isOfAnother(headers['etag'], resume)) {
        sink.restart();
        throw contract('etag');
      }
      return sizeOf(headers['content-range']) === resume.from ? 'complete' : 'range-not-satisfiable';
    }
    if (status !== 200 && !(status === 206 && resume)) throw await answer.asError();
    const isEncoded = encodingOf(headers) !== 'identity';
    if (isEncoded && status === 206) throw contract('content-encoding');

    const etag = keepable(headers['etag']);
    const range = status === 206 && resume ? rangeOf(headers['content-range']) : undefined;
    /** bytes at the start of the answer that we have already, because the insurer has ignored the range */
    let bytesToSkip = 0;
    if (status === 206 && resume) {
      if (isOfAnother(headers['etag'], resume)) {
        sink.restart();
        throw contract('etag');
      }
      if (range?.from !== resume.from) throw contract('content-range');
      sink.begin({ from: resume.from, etag: resume.position, position: resume.position });
    } else if (resume && etag === resume.position && !isEncoded) {
      bytesToSkip = resume.from;
      sink.begin({ from: resume.from, etag, position: etag });
    } else {
      const isResumable = etag?.startsWith('"') && /\bbytes\b/i.test(headers['accept-ranges'] ?? '') && !isEncoded;
      const contentType = headers['content-type'];
      sink.begin({
        from: 0,
        ...(etag && { etag }),
        ...(isResumable && etag && { position: etag }),
        ...(contentType && { contentType }),
      });
    }
    let bytes = 0;
    for await (const chunk of answer.decoded()) {
      bytes += chunk.length;
      if (range && range.from + bytes > range.end) {
        sink.revert();
        throw contract('content-range');
      }
      const newBytes = chunk.subarray(bytesToSkip);
      bytesToSkip -= chunk.length - newBytes.length;
      if (newBytes.length > 0) await sink.write(newBytes);
    }
    if (bytesToSkip > 0) throw contract('content-length');
    if (range && range.from + bytes < (range.total ?? range.end))
      throw new LineError('cut-short', { operation, status });
    return 'complete';
  },
});

/** Returns whether an answer's ETag says that it belongs to another list. An answer without ETag says nothing. */
const isOfAnother = (etag: string | undefined, resume: { readonly position: string }): boolean =>
  etag !== undefined && etag !== resume.position;

/** Parses `bytes *\/{total}`, with which a 416 says how long the list is (RFC 9110, 14.4). Returns undefined for any other text. */
function sizeOf(contentRange = ''): number | undefined {
  const match = /^bytes \*\/(\d{1,15})$/.exec(contentRange.trim());
  return match === null ? undefined : Number(match[1]);
}

/** Parses `bytes {from}-{last}/{total}`; the total may be `*`. `end` is `last` + 1. Returns undefined for any other text. */
function rangeOf(contentRange = ''): { from: number; end: number; total?: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(contentRange.trim());
  if (!match) return undefined;
  const [from, end] = [Number(match[1]), Number(match[2]) + 1];
  if (from >= end) return undefined;
  if (match[3] === undefined) return { from, end };
  const total = Number(match[3]);
  return end <= total ? { from, end, total } : undefined;
}
