import { parseLossless, printLossless } from '../../core/json/lossless.ts';
import { LineError } from '../line/line-error.ts';
import type { InsurerAdapter } from './insurer-adapter.ts';

/** A member, as this insurer writes one. */
interface Member {
  readonly nummer?: unknown;
  readonly name?: unknown;
  readonly vorname?: unknown;
  readonly geboren?: unknown;
  readonly geschlecht?: unknown;
}

/**
 * The adapter of another insurer, which exists in tests only. Its list comes in pages of NDJSON: `GET /v2/members?after={cursor}`,
 * whose header `x-next` names the next page. Care records are asked for by `POST /v2/cases`, and 404 means that a person is
 * not insured. The fields have German names.
 */
export function createNdjsonAdapter({
  baseUrl,
  key,
}: {
  readonly baseUrl: string;
  readonly key: string;
}): InsurerAdapter {
  const basePath = new URL(baseUrl).pathname.replace(/\/+$/, '');
  const headers = { 'x-api-key': key };
  return {
    careRecords: {
      request: (kvnr) => ({
        method: 'POST',
        path: `${basePath}/v2/cases`,
        headers: { ...headers, 'content-type': 'application/json', 'accept-encoding': 'gzip' },
        body: JSON.stringify({ nummer: kvnr }),
      }),
      async read(answer) {
        if (answer.status === 404) {
          await answer.readToEnd();
          return { kind: 'not-insured' };
        }
        if (answer.status !== 200) throw await answer.asError();
        const body = await answer.readWhole();
        return { kind: 'answer', toJson: () => Buffer.from(ourCareRecords(body.toString())) };
      },
    },
    list: {
      request: ({ resume }) => ({
        path: `${basePath}/v2/members${resume ? `?after=${encodeURIComponent(resume.position)}` : ''}`,
        headers: { ...headers, 'accept-encoding': 'gzip' },
      }),
      async read(answer, { resume }, sink) {
        if (answer.status === 410 && resume) {
          await answer.drain();
          sink.restart(); // the cursor is too old: the list of before cannot be continued
          throw new LineError('contract', { operation: 'patients', status: 410, problem: 'cursor' });
        }
        if (answer.status !== 200) throw await answer.asError();
        const lines = (await answer.readWhole()).toString().split('\n');
        const next = answer.headers['x-next'];
        sink.page(lines.filter((line) => line.trim() !== '').map(ourEntry), next);
        return next === undefined ? 'complete' : 'more';
      },
    },
  };
}

/** Returns a member as an entry in our shape, with every other field as it was sent. A line that is no JSON stays one. */
function ourEntry(line: string): string {
  try {
    const { nummer, name, vorname, geboren, geschlecht, ...others } = parseLossless(line) as Member;
    const gender = { w: 'female', m: 'male', d: 'other' }[String(geschlecht)] ?? geschlecht;
    const birthDate = typeof geboren === 'string' ? geboren.replace(/^(\d\d)\.(\d\d)\.(\d{4})$/, '$3-$2-$1') : geboren;
    return printLossless({ kvnr: nummer, familyName: name, givenName: vorname, birthDate, gender, ...others });
  } catch {
    return line;
  }
}

/** @throws LineError */
function ourCareRecords(text: string): string {
  try {
    const { nummer, faelle } = parseLossless(text) as { nummer: unknown; faelle: unknown };
    return printLossless({ kvnr: nummer, careRecords: faelle });
  } catch {
    throw new LineError('not-json', { operation: 'care-records' });
  }
}
