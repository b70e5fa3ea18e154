import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { findApi } from './api-client.ts';
import { patientText } from './patient-text.ts';

const patientRef = '5d41402abc4b2a76b9719d911017c592';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const linked = (text: string, more = ''): string =>
  `{"href":"URL/documents/${Buffer.from(text).toString('base64url')}","sizeBytes":${Buffer.byteLength(text)},"sha256":"${sha256(text)}"${more}}`;
const asSent = ',"as":"sent"';

/**
 * Serves the given answers one after the other, in the form of the API (lambdas/http/schemas.ts), and the text of each
 * link. The real API splits the links of a record only after about ten thousand, and documents rarely change during a
 * read.
 */
async function serve(answers: readonly (string | { readonly problem: string })[]) {
  const paths: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    if (url.startsWith('/v1/documents/')) {
      const text = Buffer.from(url.split('/').at(-1)?.split('?')[0] ?? '', 'base64url');
      if (url.endsWith('?as=sent'))
        response.end(text.toString('base64url')); // a form that re-encoding does not give
      else response.end(text.toString() === 'replaced' ? 'not what was stored' : text);
      return;
    }
    paths.push(url);
    const answer = answers[paths.length - 1] ?? { problem: 'internal' };
    if (typeof answer === 'string') {
      response.end(answer.replaceAll('URL', `http://${host()}/v1`));
    } else {
      response.writeHead(409, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: `urn:epa-sync:problem:${answer.problem}`, title: 'It is so', status: 409 }));
    }
  });
  const host = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const api = findApi({ API_URL: `http://${host()}/v1/`, EPA_SYNC_TOKEN: 'token' }, 'clinician');
  return { api, paths };
}
const whole = (patient: string, ...records: string[]): string =>
  `{\n"patient": ${patient},\n"careRecords": [${records.map((record) => `\n${record}`).join(',')}]\n}\n`;

test('documents are printed as the insurer sent them: as base64 of their files, or as the text that was kept', async () => {
  const kept = `,"sent":{"sizeBytes":2,"sha256":"${sha256('QQ')}"}`;
  const own = '{"href":"URL/documents/eA","sizeBytes":1,"sha256":"x"}';
  const { api } = await serve([
    `{"patient":{},"careRecords":[{"id":"a","documents":[{"id":"d","content":${linked('A')},"pages":1.0},{"content":${linked('A', kept)}},{"content":${linked('A', `,"insurerContent":${own}`)}},{"content":{"insurerContent":${own}}},{"contentBase64":${own}}]}]}`,
  ]);
  const text = await patientText(api, patientRef);
  const printedOwn = own.replace('URL', /http:[^"]*v1/.exec(text)?.[0] ?? '');
  expect(text).toBe(
    whole(
      '{}',
      `{"id":"a","documents":[{"id":"d","contentBase64":"QQ==","pages":1.0},{"contentBase64":"QQ"},{"contentBase64":"QQ==","content":${printedOwn}},{"content":${printedOwn}},{"contentBase64":${printedOwn}}]}`,
    ),
  );
});

test('the content of documents is inserted into the records; a byte order mark and numbers stay as they were', async () => {
  const content = '\ufeffno base64: ü';
  const { api } = await serve([
    `{"patient":{"size":1.70},"careRecords":[{"id":"a","big":12345678901234567890,"documents":[{"contentBase64":""},{"content":${linked(content, asSent)}}]}]}`,
  ]);
  expect(await patientText(api, patientRef)).toBe(
    whole(
      '{"size":1.70}',
      `{"id":"a","big":12345678901234567890,"documents":[{"contentBase64":""},{"contentBase64":"${content}"}]}`,
    ),
  );
});

test('the text says when the care records were received', async () => {
  const { api } = await serve(['{"patient":{},"careRecords":[],"careRecordsAsOf":"2026-11-27T13:03:00.000Z"}']);
  expect(JSON.parse(await patientText(api, patientRef))).toEqual({
    patient: {},
    careRecords: [],
    careRecordsAsOf: '2026-11-27T13:03:00.000Z',
  });
});

test.each([
  ...['null', '{"id":"d"}', '{"0":{"contentBase64":""}}', '"x"', '5', 'true', '[null]', '["x"]', '[5]', '[[]]', '[{}]'],
  ...['null', '5', '[]', '{}', '{"href":5}', '{"href":"https://example.org/documents/x"}'].map(
    (content) => `[{"id":"d","contentBase64":${content}}]`,
  ),
])('the documents %s are printed as they were sent, and do not hide the content of others', async (documents) => {
  const { api } = await serve([
    `{"patient":{},"careRecords":[{"id":"odd","documents":${documents}},{"id":"b","documents":[null,{"content":${linked('text', asSent)}}]}]}`,
  ]);
  expect(await patientText(api, patientRef)).toBe(
    whole('{}', `{"id":"odd","documents":${documents}}`, '{"id":"b","documents":[null,{"contentBase64":"text"}]}'),
  );
});

test('a record whose links fill several pages becomes one record', async () => {
  const record = '{"id":"huge","dose":1.0,"documents":[{"contentBase64":""},{"contentBase64":""}]}';
  const page = (index: number, text: string, rest: string) =>
    `{"patient":{},"careRecords":[{"id":"huge","linked":true,${linked(record).slice(1, -1)},"documents":[{"index":${index},${linked(text, asSent).slice(1)}]}]${rest}}`;
  const { api, paths } = await serve([
    '{"patient":{},"careRecords":[{"id":"first","linked":true,"href":"https://example.org"}],"nextToken":"1"}',
    page(0, 'one', ',"nextToken":"2"'),
    page(1, 'two', ',"nextToken":"3"'),
    '{"patient":{},"careRecords":[{"id":"last"}]}',
  ]);
  expect(await patientText(api, patientRef)).toBe(
    whole(
      '{}',
      '{"id":"first","linked":true,"href":"https://example.org"}',
      '{"id":"huge","dose":1.0,"documents":[{"contentBase64":"one"},{"contentBase64":"two"}]}',
      '{"id":"last"}',
    ),
  );
  expect(paths.slice(1)).toEqual(['1', '2', '3'].map((token) => `/v1/patients/${patientRef}?nextToken=${token}`));
});

test('if the care records change between two pages, the read starts again', async () => {
  const { api, paths } = await serve([
    '{"patient":{},"careRecords":[{"id":"old"}],"nextToken":"1"}',
    { problem: 'care-records-changed' },
    '{"patient":{},"careRecords":[{"id":"new"}]}',
  ]);
  expect(await patientText(api, patientRef)).toBe(whole('{}', '{"id":"new"}'));
  expect(paths).toHaveLength(3);
});

test('a document that does not match its SHA-256 is rejected, and so is a patient who changes during each read', async () => {
  const { api } = await serve([
    `{"patient":{},"careRecords":[{"id":"a","documents":[{"content":${linked('replaced')}}]}]}`,
    ...Array.from({ length: 5 }, () => ({ problem: 'care-records-changed' })),
  ]);
  await expect(patientText(api, patientRef)).rejects.toThrow('a document does not match');
  await expect(patientText(api, patientRef)).rejects.toMatchObject({ problem: 'care-records-changed' });
});
