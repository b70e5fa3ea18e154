import type { Kvnr } from '../../../core/domain/kvnr.ts';
import { charsetOf, fittingCharset, toUtf8, withoutTail } from '../../../core/json/charset.ts';
import { LineError } from '../../line/line-error.ts';
import { parseJson } from '../answer-body.ts';
import { kvnrIn, unusable } from '../care-records-check.ts';
import type { CareRecordsApi, InsurerRequest } from '../insurer-adapter.ts';
import { keepable } from './etag.ts';

/** Care records: one answer with all records of a patient. */
export const careRecordsApi = (basePath: string, headers: InsurerRequest['headers']): CareRecordsApi => ({
  request: (kvnr, knownEtag) => ({
    path: `${basePath}/patients/${encodeURIComponent(kvnr)}/care-records`,
    headers: {
      ...headers,
      'accept-encoding': 'gzip',
      ...(knownEtag !== undefined && { 'if-none-match': knownEtag }),
    },
  }),
  async read(answer, kvnr, knownEtag) {
    if (answer.status === 304 && knownEtag !== undefined) {
      await answer.drain();
      return { kind: 'unchanged' };
    }
    switch (answer.status) {
      case 200: {
        const body = await answer.readWhole();
        const etag = keepable(answer.headers['etag']);
        const toJson = (): Buffer => inUtf8(body, answer.headers['content-type'], kvnr);
        return { kind: 'answer', toJson, ...(etag !== undefined && { etag }) };
      }
      case 404:
      case 410:
        await answer.readToEnd(); // only a complete answer counts, because its effects are final
        return { kind: answer.status === 404 ? 'unknown' : 'not-insured' };
      default:
        throw await answer.asError();
    }
  },
});

/** @throws UnusableAnswer if it is no text in its charset, or in one that it does not declare, but names the KVNR */
function inUtf8(body: Buffer, contentType: string | undefined, kvnr: Kvnr): Buffer {
  try {
    return withoutTail(toUtf8(body, contentType));
  } catch {
    const charset = charsetOf(body, contentType);
    const fits = charset === 'utf-8' ? fittingCharset(body) : undefined;
    const guessed = withoutTail(Buffer.from(new TextDecoder(fits ?? charset).decode(body)));
    if (kvnrIn(parseJson(guessed, 'care-records').value) === kvnr)
      throw unusable(fits === undefined ? 'answer: not text in its charset' : `answer: not UTF-8 (${fits} fits)`, body);
    throw new LineError('not-json', { operation: 'care-records' });
  }
}
