import { expect, test } from 'vitest';
import { anchorKey, anchorKeyOf, isTampering, parseAnchorKey, type StreamRecord } from './access-anchor.ts';
import { draftOf, patientRef } from './access-log.fixture.ts';
import { linkEntry } from './access-log.ts';

const { seq, hash, expiresAt } = linkEntry(draftOf(1), undefined);
const key = `${patientRef}/000000000001-${expiresAt}-${hash}`;

const recordOf = (item: Record<string, { S?: string; N?: string }>): StreamRecord => ({
  eventName: 'INSERT',
  dynamodb: { NewImage: item },
});
const item = { patientRef: { S: patientRef }, seq: { N: '1' }, expiresAt: { N: String(expiresAt) }, hash: { S: hash } };

test('the key of an anchor holds the patient, the seq, the expiry and the hash, and sorts by seq', () => {
  expect(anchorKey(patientRef, { seq, hash, expiresAt })).toBe(key);
  expect(parseAnchorKey(key)).toEqual({ seq, hash, expiresAt });
  const keys = [2, 10, 1_000_000].map((number) => anchorKey(patientRef, { seq: number, hash, expiresAt }));
  expect(keys.toSorted()).toEqual(keys);
  for (const other of ['', key.slice(1), `${key}0`, key.replace('-', '_')])
    expect(parseAnchorKey(other)).toBe(undefined);
});

test('each write of an entry has an anchor, and what is no entry has none and stops no batch', () => {
  expect(anchorKeyOf(recordOf(item))).toBe(key);
  const odd: StreamRecord[] = [
    {},
    { eventName: 'REMOVE', dynamodb: {} },
    recordOf({ ...item, patientRef: { S: `checkpoint#${patientRef}` } }),
    recordOf({ ...item, seq: { N: '2.5' } }),
    recordOf({ ...item, seq: { N: '-1' } }),
    recordOf({ ...item, seq: { S: 'x' } }),
    recordOf({ ...item, hash: { S: '../other' } }),
    recordOf({ patientRef: { S: patientRef } }),
  ];
  for (const record of odd) expect(anchorKeyOf(record)).toBe(undefined);
});

test('a change and a deletion are tampering, but not a new item, and not the end of an expired one', () => {
  const ttl = { principalId: 'dynamodb.amazonaws.com' };
  expect(isTampering(recordOf(item))).toBe(false);
  expect(isTampering({ eventName: 'REMOVE', userIdentity: ttl })).toBe(false);
  expect(isTampering({ eventName: 'REMOVE' })).toBe(true);
  expect(isTampering({ ...recordOf(item), eventName: 'MODIFY' })).toBe(true);
});
