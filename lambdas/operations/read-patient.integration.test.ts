import { createHash } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import { splitAnswer } from '../../core/domain/split-answer.ts';
import { createCareRecordsStore } from '../../core/stores/care-records.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { type Api, openApi, withOneCharacterChanged } from '../http/api.fixture.ts';
import { encryptDocumentLink } from '../http/document-link.ts';
import { problemType } from '../http/problems.ts';
import { createTokenCipher } from '../http/token-cipher.ts';

let api: Api;
const pseudonymKey = process.env['PSEUDONYM_KEY'] ?? '';
beforeAll(async () => {
  api = await openApi();
});

const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');
const read = async (patientRef: string, nextToken?: string) =>
  await api.ask('readPatient', {
    role: 'clinician',
    params: { patientRef },
    ...(nextToken !== undefined && { query: { nextToken } }),
  });
const tokenIn = (href: string): string => href.split('/').at(-1) ?? '';

test('a patient and their care records are returned as the insurer sent them, with numbers as written and unknown fields', async () => {
  const record = '{"id":"r1","dose":1.0,"big":12345678901234567890,"ü":[null,-0]}';
  const entry = '{"familyName":"Größling","height":1.70}';
  const { patientRef } = await api.storePatient(`[${record}]`, entry);
  const { text, json } = await read(patientRef);
  expect(text).toContain(record);
  expect(text).toContain(entry);
  expect(json.nextToken).toBeUndefined();
});

test('the answer says when the care records were received, and so whether none means never fetched', async () => {
  const { patientRef } = await api.storePatient();
  expect((await read(patientRef)).json).not.toHaveProperty('careRecordsAsOf');
  const { patientRef: before } = await api.storePatient('[]'); // as 0.2.0 has stored them
  expect((await read(before)).json).toMatchObject({ careRecords: [], careRecordsAsOf: 'unknown' });
  const receivedAt = '2026-11-27T13:03:00.000Z';
  await api.stores.careRecords.stage(before, '2', splitAnswer('{"kvnr": "", "careRecords": []}'));
  await api.stores.patients.activateCareVersion(before, '2', 1, { receivedAt });
  expect((await read(before)).json).toMatchObject({ careRecords: [], careRecordsAsOf: receivedAt });
});

test('on an emulator, a document is fetched from the host that the reader uses, not from that of the Lambda', async () => {
  const record = JSON.stringify([{ id: 'r1', documents: [{ id: 'd1', contentBase64: 'aGFsbG8=' }] }]);
  const { patientRef } = await api.storePatient(record);
  const { json } = await read(patientRef);
  const { port } = new URL(process.env['AWS_ENDPOINT_URL'] ?? '');
  const headers = { host: `localhost:${port}` }; // the Lambda itself uses 127.0.0.1
  const token = tokenIn(json.careRecords[0].documents[0].content.href);
  const location = (await api.ask('readDocument', { params: { token }, headers })).headers['location'] ?? '';
  expect(new URL(location).host).toBe(headers.host);
  expect(await (await fetch(location)).text()).toBe('hallo');
});

/** Follows a link, as a client without a token does. */
async function follow(
  href: string,
  query: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
) {
  const answered = await api.ask('readDocument', { params: { token: tokenIn(href) }, query });
  return await fetch(answered.headers['location'] ?? '', { headers });
}

test('a document is a file behind a link: decoded, with its media type, a safe name, its SHA-256, and in ranges', async () => {
  const bytes = Buffer.from('%PDF-1.7 Hä');
  const sent = {
    ...{ id: 'd1', href: 'theirs', title: 'Brief „Größe“', mediaType: 'application/pdf' },
    ...{ contentBase64: bytes.toString('base64'), pages: 3 },
  };
  const { patientRef } = await api.storePatient(JSON.stringify([{ id: 'r1', documents: [sent] }]));
  const { json } = await read(patientRef);
  const [{ content, ...others }] = json.careRecords[0].documents;
  const { contentBase64: _, ...kept } = sent;
  expect(others).toEqual(kept);
  expect(content).toEqual({
    href: expect.not.stringContaining(patientRef),
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    expiresAt: expect.any(String),
  });
  const leftSeconds = (Date.parse(content.expiresAt) - Date.now()) / 1_000;
  expect(leftSeconds).toBeGreaterThan(240);
  expect(leftSeconds).toBeLessThanOrEqual(300);
  const answered = await api.ask('readDocument', { params: { token: tokenIn(content.href) } });
  expect(answered.status).toBe(302);
  const location = new URL(answered.headers['location'] ?? '');
  expect(location.searchParams.get('X-Amz-Expires')).toBe('60');
  expect(decodeURIComponent(location.href)).not.toContain('Brief'); // a name may be that of a person
  const file = await fetch(location);
  expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes);
  expect(Object.fromEntries(file.headers)).toMatchObject({
    'content-type': 'application/pdf',
    'content-disposition': `attachment; filename="Brief Gro_e.pdf"; filename*=UTF-8''Brief%20Gr%C3%B6%C3%9Fe.pdf`,
    'cache-control': 'no-store',
    'x-amz-meta-repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
  });
  const range = await follow(content.href, {}, { range: 'bytes=1-3' });
  expect([range.status, range.headers.get('content-range'), await range.text()]).toEqual([
    206,
    `bytes 1-3/${bytes.length}`,
    'PDF',
  ]);
  expect(
    (await api.ask('readDocument', { params: { token: tokenIn(content.href) }, query: { as: 'sent' } })).json,
  ).toEqual(
    expect.objectContaining({ type: problemType('document-unknown') }), // its base64 is what was sent
  );
  const { json: log } = await api.ask('readAccessLog', { role: 'auditor', params: { patientRef } });
  expect(log.entries.at(-2)).toMatchObject({
    operation: 'read-document',
    outcome: 'success',
    agent: { who: 'clinician-1', name: 'Demo clinician', role: 'clinician' },
    entity: { kind: 'document', id: content.sha256 },
  });
});

test.each([
  ['base64url without padding', 'SMOkPz4', 'Hä?>'],
  ['base64 in lines', 'SMOk\nPz4=', 'Hä?>'],
  ['a data URL', 'data:text/plain,H%C3%A4%3F%3E', 'Hä?>'],
])('of %s, the file and the very text that the insurer sent are read', async (_form, contentBase64, file) => {
  const { patientRef } = await api.storePatient(JSON.stringify([{ id: 'r1', documents: [{ contentBase64 }] }]));
  const { content } = (await read(patientRef)).json.careRecords[0].documents[0];
  expect(content).toMatchObject({ sha256: sha256(file), sent: { sha256: sha256(contentBase64) } });
  expect(await (await follow(content.href)).text()).toBe(file);
  const sent = await follow(content.href, { as: 'sent' });
  expect([sent.headers.get('content-type'), await sent.text()]).toEqual(['text/plain; charset=utf-8', contentBase64]);
});

test('a text that is no base64 is answered as the insurer sent it, and the answer says so', async () => {
  const text = 'not base64 at all, and that is how the insurer sent it: ü';
  const record = JSON.stringify([{ id: 'r1', documents: [{ mediaType: 'text/html', contentBase64: text }] }]);
  const { patientRef } = await api.storePatient(record);
  const { content } = (await read(patientRef)).json.careRecords[0].documents[0];
  expect(content).toMatchObject({ as: 'sent', sizeBytes: Buffer.byteLength(text), sha256: sha256(text) });
  for (const query of [{}, { as: 'sent' }]) {
    const read = await follow(content.href, query);
    expect(read.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await read.text()).toBe(text);
  }
});

test('a document that an earlier version has stored is answered as the text that the insurer sent, and given to FHIR decoded', async () => {
  const { patientRef } = await api.storePatient('[{"id": "r1", "documents": [{"id": "d1", "contentBase64": "QUJD"}]}]');
  await storeAsBefore(patientRef, '1', 'QUJD');
  const { content } = (await read(patientRef)).json.careRecords[0].documents[0];
  expect(content).toMatchObject({ as: 'sent', sizeBytes: 4, sha256: sha256('QUJD') });
  expect(await (await follow(content.href)).text()).toBe('QUJD');
  const [record] = (await api.stores.careRecords.read(patientRef, '1'))?.records ?? [];
  expect(record && (await api.stores.careRecords.readDocuments(record))).toEqual([{ index: 0, sent: 'QUJD' }]);
  const found = await api.ask('searchFhirDocuments', { role: 'clinician', query: { patient: patientRef } });
  const { resource } = found.json.entry[0];
  expect(resource.content[0].attachment).not.toHaveProperty('size');
  const binary = { params: { id: resource.id }, headers: { accept: 'application/fhir+json' } };
  expect((await api.ask('readFhirBinary', { role: 'clinician', ...binary })).json).toMatchObject({ data: 'QUJD' });
});

/** Replaces the first document of the record r1 by one as 0.2.0 stored it. */
async function storeAsBefore(patientRef: string, careVersion: string, text: string): Promise<void> {
  const content = await api.stores.documents.put(patientRef, careVersion, text);
  await DynamoDBDocumentClient.from(new DynamoDBClient({})).send(
    new UpdateCommand({
      TableName: defaultTables.careRecords,
      Key: { patientRef, sk: `${careVersion}#r1` },
      UpdateExpression: 'SET documents = :documents',
      ExpressionAttributeValues: { ':documents': [{ index: 0, content }] },
    }),
  );
}

test("an insurer's own field in the shape of our link cannot be taken for one", async () => {
  const theirs = { href: 'https://elsewhere.example/d', sizeBytes: 3, sha256: sha256('ABC') };
  const documents = [{ contentBase64: theirs }, { content: theirs }, { contentBase64: 'QUJD', content: theirs }];
  const { patientRef } = await api.storePatient(JSON.stringify([{ id: 'r1', documents }]));
  const [first, second, third] = (await read(patientRef)).json.careRecords[0].documents;
  expect([first, second]).toEqual([{ contentBase64: theirs }, { content: { insurerContent: theirs } }]);
  expect(third.content).toMatchObject({ insurerContent: theirs, sizeBytes: 3 });
  expect(third.content.href).not.toBe(theirs.href);
});

test('a link is rejected if it was changed, was not issued by us, has expired, or its document is gone', async () => {
  const { patientRef } = await api.storePatient('[{"id": "r1", "documents": [{"contentBase64": "QUJD"}]}]');
  const { json } = await read(patientRef);
  const token = tokenIn(json.careRecords[0].documents[0].content.href);
  const typeOf = async (text: string) => (await api.ask('readDocument', { params: { token: text } })).json.type;
  expect(await typeOf(withOneCharacterChanged(token))).toBe(problemType('document-unknown'));
  expect(await typeOf('a.b.c.d.e')).toBe(problemType('document-unknown'));
  const place = await createTokenCipher(pseudonymKey).encrypt('page of anything', { p: patientRef });
  expect(await typeOf(place)).toBe(problemType('document-unknown'));
  const content = { key: `documents/${patientRef}/1/${sha256('QUJD')}`, sizeBytes: 4, sha256: sha256('QUJD') };
  const reader = { who: 'anna', roles: ['clinician' as const] };
  const form = 'text';
  const past = {
    encrypt: async (purpose: string, facts: object) =>
      await createTokenCipher(pseudonymKey).encrypt(purpose, facts as never, -1),
  };
  const { token: expired } = await encryptDocumentLink(past as never, { patientRef, content, form, reader });
  expect(await typeOf(expired)).toBe(problemType('link-expired'));
  await api.stores.documents.deleteVersion(patientRef, '1');
  expect(await typeOf(token)).toBe(problemType('document-unknown'));
  const { json: log } = await api.ask('readAccessLog', { role: 'auditor', params: { patientRef } });
  const uses = log.entries.filter(({ operation }: { operation: string }) => operation === 'read-document');
  expect(uses.map(({ outcome, agent }: { outcome: string; agent: { who: string } }) => [outcome, agent.who])).toEqual([
    ['failed', 'anna'],
    ['failed', 'clinician-1'],
  ]);
});

test('care records of any size come in pages that fit into an answer, each record once and in order', async () => {
  const sizes = [10, 2_000_000, 2_000_000, 2_400_000, 10, 4_990_000, 5_200_000, 10, 7_000_000];
  const records = sizes.map((size, index) => ({ id: `r${index}`, '"': '"'.repeat(size / 2) }));
  const { patientRef } = await api.storePatient(JSON.stringify(records));
  const seen: { id: string; linked?: boolean; href?: string }[] = [];
  let nextToken: string | undefined;
  do {
    const { text, json } = await read(patientRef, nextToken);
    expect(Buffer.byteLength(JSON.stringify({ body: text }))).toBeLessThan(5_500_000);
    seen.push(...json.careRecords);
    nextToken = json.nextToken;
  } while (nextToken !== undefined);
  expect(seen.map(({ id }) => id)).toEqual(records.map(({ id }) => id));
  for (const [index, record] of seen.entries()) {
    if (!record.linked) {
      expect(record).toEqual(records[index]);
      continue;
    }
    const answered = await api.ask('readDocument', { params: { token: tokenIn(record.href ?? '') } });
    expect(await (await fetch(answered.headers['location'] ?? '')).json()).toEqual(records[index]);
  }
  expect(seen.filter(({ linked }) => linked).length).toBeGreaterThan(0);
}, 60_000);

test('a record with more documents than one answer can link continues on further pages', async () => {
  const documents = Array.from({ length: 13_000 }, (_, index) => ({ id: index, title: 'd', contentBase64: 'QUJD' }));
  const { patientRef } = await api.storePatient();
  const parts = splitAnswer(JSON.stringify({ kvnr: '', careRecords: [{ id: 'r0', documents }, { id: 'r1' }] }));
  await onceEach().stage(patientRef, '1', parts);
  await api.stores.patients.activateCareVersion(patientRef, '1', 1);
  const linked: number[] = [];
  let nextToken: string | undefined;
  const last: string[] = [];
  do {
    const { json, text } = await read(patientRef, nextToken);
    expect(Buffer.byteLength(JSON.stringify({ body: text }))).toBeLessThan(5_500_000);
    for (const { id, documents: links = [] } of json.careRecords) {
      linked.push(...links.map(({ index }: { index: number }) => index));
      last.push(id);
    }
    nextToken = json.nextToken;
  } while (nextToken !== undefined);
  expect(linked).toEqual(documents.map(({ id }) => id));
  expect(last.at(-1)).toBe('r1');
}, 120_000);

test('a record that is stored in a table item is answered whole, even with the largest master data and the longest names', async () => {
  const documents = Array.from({ length: 880 }, (_, index) => ({ id: index, title: 'd', contentBase64: 'QUJD' }));
  const { patientRef } = await api.storePatient(undefined, JSON.stringify({ note: '"'.repeat(500_000) }));
  const parts = splitAnswer(JSON.stringify({ kvnr: '', careRecords: [{ id: 'r0', documents }, { id: 'r1' }] }));
  await onceEach().stage(patientRef, '1', parts);
  await api.stores.patients.activateCareVersion(patientRef, '1', 1);
  const stored = await api.stores.careRecords.read(patientRef, '1');
  expect(stored?.records[0]).not.toHaveProperty('bodyRef');
  const claims = { sub: 'ü'.repeat(200), name: 'ü'.repeat(200), roles: ['clinician'] };
  const token = await api.issuer.sign(claims);
  const ids: string[] = [];
  let nextToken: string | undefined;
  do {
    const query = nextToken === undefined ? {} : { query: { nextToken } };
    const { status, text, json } = await api.ask('readPatient', { token, params: { patientRef }, ...query });
    expect(status).toBe(200);
    expect(Buffer.byteLength(JSON.stringify({ body: text }))).toBeLessThan(5_800_000);
    ids.push(...json.careRecords.map(({ id }: { id: string }) => id));
    nextToken = json.nextToken;
  } while (nextToken !== undefined);
  expect(ids).toEqual(['r0', 'r1']);
}, 60_000);

/**
 * Returns the store, which skips objects that it has already put. Otherwise thousands of equal documents would be put
 * thousands of times.
 */
function onceEach() {
  const { documents } = api.stores;
  const put = new Map<string, ReturnType<typeof documents.putFile>>();
  const onceStored: typeof documents = {
    ...documents,
    putFile(patientRef, careVersion, file) {
      const known = put.get(file.name) ?? documents.putFile(patientRef, careVersion, file);
      put.set(file.name, known);
      return known;
    },
  };
  return createCareRecordsStore(DynamoDBDocumentClient.from(new DynamoDBClient({})), onceStored, defaultTables);
}

test('a page of care records that have been replaced is rejected, so that no reader sees a mix', async () => {
  const records = Array.from({ length: 3 }, (_, index) => ({ id: `r${index}`, text: 'x'.repeat(2_000_000) }));
  const { patientRef } = await api.storePatient(JSON.stringify(records));
  const { json } = await read(patientRef);
  await api.stores.careRecords.stage(patientRef, '2', splitAnswer('{"kvnr": "", "careRecords": []}'));
  await api.stores.patients.activateCareVersion(patientRef, '2', 1);
  expect((await read(patientRef, json.nextToken)).json.type).toBe(problemType('care-records-changed'));
  expect((await read(patientRef)).json.careRecords).toEqual([]);
});
