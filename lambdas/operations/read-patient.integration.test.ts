import { createHash } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
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

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
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
  const token = tokenIn(json.careRecords[0].documents[0].contentBase64.href);
  const location = (await api.ask('readDocument', { params: { token }, headers })).headers['location'] ?? '';
  expect(new URL(location).host).toBe(headers.host);
  expect(await (await fetch(location)).text()).toBe('aGFsbG8=');
});

test("a document is a link that works without a token, and its use is recorded in the reader's name", async () => {
  const content = 'not base64 at all, and that is how the insurer sent it: ü';
  const record = JSON.stringify([{ id: 'r1', documents: [{ id: 'd1', href: 'theirs', contentBase64: content }] }]);
  const { patientRef } = await api.storePatient(record);
  const { json } = await read(patientRef);
  const [document] = json.careRecords[0].documents;
  expect(document).toMatchObject({ id: 'd1', href: 'theirs' });
  const { href, sizeBytes, sha256: hash } = document.contentBase64;
  expect({ sizeBytes, hash }).toEqual({ sizeBytes: Buffer.byteLength(content), hash: sha256(content) });
  expect(href).not.toContain(patientRef);
  const answered = await api.ask('readDocument', { params: { token: tokenIn(href) } });
  expect(answered.status).toBe(302);
  const fetched = await fetch(answered.headers['location'] ?? '');
  expect(await fetched.text()).toBe(content);
  expect(new URL(answered.headers['location'] ?? '').searchParams.get('X-Amz-Expires')).toBe('60');
  const { json: log } = await api.ask('readAccessLog', { role: 'auditor', params: { patientRef } });
  expect(log.entries.at(-1)).toMatchObject({
    operation: 'read-document',
    outcome: 'success',
    agent: { who: 'clinician-1', name: 'Demo clinician', role: 'clinician' },
    entity: { kind: 'document', id: hash },
  });
});

test('a link is rejected if it was changed, was not issued by us, has expired, or its document is gone', async () => {
  const { patientRef } = await api.storePatient('[{"id": "r1", "documents": [{"contentBase64": "QUJD"}]}]');
  const { json } = await read(patientRef);
  const token = tokenIn(json.careRecords[0].documents[0].contentBase64.href);
  const typeOf = async (text: string) => (await api.ask('readDocument', { params: { token: text } })).json.type;
  expect(await typeOf(withOneCharacterChanged(token))).toBe(problemType('document-unknown'));
  expect(await typeOf('a.b.c.d.e')).toBe(problemType('document-unknown'));
  const place = await createTokenCipher(pseudonymKey).encrypt('page of anything', { p: patientRef });
  expect(await typeOf(place)).toBe(problemType('document-unknown'));
  const content = { key: `documents/${patientRef}/1/${sha256('QUJD')}`, sizeBytes: 4, sha256: sha256('QUJD') };
  const reader = { who: 'anna', roles: ['clinician' as const] };
  const past = {
    encrypt: async (purpose: string, facts: object) =>
      await createTokenCipher(pseudonymKey).encrypt(purpose, facts as never, -1),
  };
  const expired = await encryptDocumentLink(past as never, { patientRef, content, reader });
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
  const documents = Array.from({ length: 13_000 }, (_, index) => ({ id: index, contentBase64: 'QUJD' }));
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
  const documents = Array.from({ length: 1_050 }, (_, index) => ({ id: index, contentBase64: 'QUJD' }));
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
  const put = new Map<string, ReturnType<typeof documents.put>>();
  const onceStored: typeof documents = {
    ...documents,
    put(patientRef, careVersion, content) {
      const known = put.get(content) ?? documents.put(patientRef, careVersion, content);
      put.set(content, known);
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
