import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeContent } from '../../core/domain/document-content.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { kvnrOf } from '../../simulator/kvnr-numbers.ts';
import {
  httpAnswer,
  type RawInsurer,
  type RawRequest,
  startRawInsurer,
} from '../../worker/line/raw-insurer.fixture.ts';
import { type Answer, type CallWithPermittedRole, linksIn, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';

// An insurer over raw sockets sends what real insurers send although no contract allows it. One stack and one insurer serve
// all cases: a case is an entry of the list, the care records of a patient, or the list of a day. Each says what people see.
// docs/reference/insurer-answers.md has the rules.

const interim = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/** What goes over the socket. `closes`: the insurer closes the connection in order afterwards. */
type Sent = Buffer | { readonly closes: Buffer };

interface EntryCase {
  readonly says: string;
  /** the entry with its KVNR, as text of the list */
  readonly entry: (kvnr: string) => string;
  /** another entry of the same person, at the end of the list */
  readonly again?: (kvnr: string) => string;
  /** the issue of the kind flagged; absent if there is none */
  readonly flagged?: string;
  /** the issue of the kind quarantined, in place of a patient */
  readonly quarantined?: string;
}

interface CareCase {
  readonly says: string;
  readonly answer: (kvnr: string) => Sent;
  /** the care records that a clinician reads; none by default */
  readonly shown?: readonly unknown[];
  readonly flagged?: string;
  /** the issue of the kind care-records */
  readonly refused?: string;
  /** the requests of all runs of this day */
  readonly requests?: number;
}

interface ListCase {
  readonly says: string;
  /** @param list the text of a list in which somebody is called Jürgen Groß; ASCII otherwise */
  readonly answer: (list: string) => Sent;
  /** the issue of the kind quarantined about Jürgen's entry, who stays as before */
  readonly quarantined?: string;
  /** the issue of the kind list, if the list is refused and everybody stays as before */
  readonly refused?: string;
}

const person = (kvnr: string, more: object = {}): string =>
  JSON.stringify({
    kvnr,
    familyName: 'Mustermann',
    givenName: 'Erika',
    birthDate: '1950-02-01',
    gender: 'female',
    ...more,
  });
const without = (kvnr: string, ...fields: string[]): string => {
  const entry = JSON.parse(person(kvnr)) as Record<string, unknown>;
  for (const field of fields) delete entry[field];
  return JSON.stringify(entry);
};

const entries: readonly EntryCase[] = [
  { says: 'an entry of the contract', entry: (kvnr) => person(kvnr) },
  {
    says: 'optional fields that are null',
    entry: (kvnr) => person(kvnr, { address: null, insuredSince: null }),
    flagged: 'address: not of type object; insuredSince: not of type string',
  },
  {
    says: 'an address whose fields are null',
    entry: (kvnr) => person(kvnr, { address: { street: null, postalCode: 12345 } }),
    flagged: 'address.street: not of type string; address.postalCode: not of type string',
  },
  {
    says: 'required fields that are null',
    entry: (kvnr) => person(kvnr, { givenName: null }),
    flagged: 'givenName: not of type string',
  },
  {
    says: 'no master data at all',
    entry: (kvnr) => without(kvnr, 'familyName', 'givenName', 'birthDate', 'gender'),
    flagged: 'familyName: missing; givenName: missing; birthDate: missing; gender: missing',
  },
  { says: 'the gender X', entry: (kvnr) => person(kvnr, { gender: 'X' }), flagged: 'gender: not one of the allowed' },
  {
    says: 'the gender as number',
    entry: (kvnr) => person(kvnr, { gender: 2 }),
    flagged: 'gender: not one of the allowed',
  },
  ...['1950-00-00', '00000000', '0000-00-00', '1950', '01.02.1950', '1950-02-01T00:00:00Z', '1950-02-30', ''].map(
    (birthDate): EntryCase => ({
      says: `the birth date ${JSON.stringify(birthDate)}`,
      entry: (kvnr) => person(kvnr, { birthDate }),
      flagged: 'birthDate: not a date',
    }),
  ),
  {
    says: 'a birth date as number',
    entry: (kvnr) => person(kvnr, { birthDate: 19500201 }),
    flagged: 'birthDate: not of type string',
  },
  { says: 'an empty name', entry: (kvnr) => person(kvnr, { familyName: '' }), flagged: 'familyName: empty' },
  {
    says: 'a name of 5 000 characters',
    entry: (kvnr) => person(kvnr, { familyName: 'x'.repeat(5_000) }),
    flagged: 'familyName: too long',
  },
  { says: 'a name with a lone surrogate', entry: (kvnr) => person(kvnr).replace('Erika', 'Erik\\ud83d') },
  { says: 'a name with U+0000 and line breaks', entry: (kvnr) => person(kvnr, { givenName: 'a\u0000\r\nb' }) },
  { says: 'fields that no contract names', entry: (kvnr) => person(kvnr, { __proto: { a: [1, { b: null }] }, '': 1 }) },
  { says: 'a field __proto__', entry: (kvnr) => person(kvnr).replace('{', '{"__proto__":{"a":1},') },
  {
    says: 'huge numbers',
    entry: (kvnr) => person(kvnr).replace('{', '{"n":123456789012345678901234567890,"e":1e999,"z":-0,'),
  },
  {
    says: 'the same field twice: the last one counts',
    entry: (kvnr) => person(kvnr).replace('{', '{"gender":"X","familyName":7,'),
  },
  {
    says: 'line breaks of Windows and tabs',
    entry: (kvnr) => JSON.stringify(JSON.parse(person(kvnr)), undefined, '\t').replaceAll('\n', '\r\n'),
  },
  { says: 'a KVNR in lower case', entry: (kvnr) => person(kvnr.toLowerCase()) },
  {
    says: 'a KVNR with blanks',
    entry: (kvnr) => person(` ${kvnr.slice(0, 4)} ${kvnr.slice(4, 7)} ${kvnr.slice(7)}\t`),
  },
  {
    says: 'a KVNR with no-break spaces',
    entry: (kvnr) => person(`${kvnr.slice(0, 4)}?${kvnr.slice(4)}`).replace('?', '\\u00a0'),
  },
  { says: 'the same person twice', entry: (kvnr) => person(kvnr), again: (kvnr) => person(kvnr) },
  {
    says: 'the same person twice, differently: always the same entry wins',
    entry: (kvnr) => person(kvnr, { gender: 'd' }),
    again: (kvnr) => person(kvnr),
    flagged: 'gender: not one of the allowed',
  },
  { says: 'NaN', entry: (kvnr) => person(kvnr).replace('{', '{"n":NaN,'), quarantined: 'entry: not JSON' },
  { says: 'Infinity', entry: (kvnr) => person(kvnr).replace('{', '{"n":-Infinity,'), quarantined: 'entry: not JSON' },
  {
    says: 'undefined, True and None',
    entry: (kvnr) => person(kvnr).replace('{', '{"a":undefined,"b":True,"c":None,'),
    quarantined: 'entry: not JSON',
  },
  {
    says: 'a comma behind the last field',
    entry: (kvnr) => person(kvnr).replace('}', ',}'),
    quarantined: 'entry: not JSON',
  },
  {
    says: 'a line break within a text',
    entry: (kvnr) => person(kvnr).replace('Erika', 'Eri\nka'),
    quarantined: 'entry: not JSON',
  },
  {
    says: 'a wrong escape',
    entry: (kvnr) => person(kvnr).replace('Erika', '\\x45rika'),
    quarantined: 'entry: not JSON',
  },
  { says: 'a number as hex', entry: (kvnr) => person(kvnr).replace('{', '{"n":0x1F,'), quarantined: 'entry: not JSON' },
  { says: 'a comment', entry: (kvnr) => person(kvnr).replace('{', '{/* new */'), quarantined: 'entry: not JSON' },
  {
    says: 'texts in single quotes',
    entry: (kvnr) => person(kvnr).replace('"Erika"', "'Erika'"),
    quarantined: 'entry: not JSON',
  },
  { says: 'an empty KVNR', entry: () => person(''), quarantined: 'kvnr: wrong form' },
  { says: 'no KVNR', entry: (kvnr) => without(kvnr, 'kvnr'), quarantined: 'kvnr: missing' },
  {
    says: 'a KVNR that is null',
    entry: (kvnr) => person(kvnr, { kvnr: null }),
    quarantined: 'kvnr: not of type string',
  },
  {
    says: 'a KVNR as number',
    entry: (kvnr) => person(kvnr, { kvnr: Number(kvnr.slice(1)) }),
    quarantined: 'kvnr: not of type string',
  },
  {
    says: 'a KVNR with a wrong check digit',
    entry: (kvnr) => person(kvnr.slice(0, 9) + ((Number(kvnr[9]) + 1) % 10)),
    quarantined: 'kvnr: check digit',
  },
  { says: 'null', entry: () => 'null', quarantined: 'entry: not of type object' },
  { says: 'a list within the list', entry: (kvnr) => `[${person(kvnr)}]`, quarantined: 'entry: not of type object' },
  { says: 'a KVNR alone', entry: (kvnr) => JSON.stringify(kvnr), quarantined: 'entry: not of type object' },
  { says: 'nothing between two commas', entry: () => '', quarantined: 'entry: not JSON' },
  {
    says: 'an entry of 65 levels',
    entry: (kvnr) => person(kvnr).replace('{', `{"a":${'['.repeat(64)}${']'.repeat(64)},`),
    quarantined: 'entry: nested too deeply',
  },
];

const record = { id: '1', programme: 'DMP', title: 'Asthma Groß', status: 'active', start: '2026-01-01' };
const recordsOf = (kvnr: string, ...careRecords: unknown[]): string => JSON.stringify({ kvnr, careRecords });
const one = (kvnr: string): string => recordsOf(kvnr, record);
const head = (...lines: string[]): string => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`;
const typed = (contentType: string) => ({ 'content-type': contentType });
const chunked = (body: Buffer, extension = ''): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}${extension}\r\n`), body, Buffer.from('\r\n0\r\n')]);
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

/** Care records whose only oddity is in a record. */
const oddRecord = (says: string, odd: unknown, flagged: string): CareCase => ({
  says,
  answer: (kvnr) => httpAnswer(200, recordsOf(kvnr, record, odd)),
  shown: [record, odd],
  flagged,
});
/** Care records that are in order, and arrive in an odd way. */
const oddWay = (says: string, answer: CareCase['answer'], requests = 1): CareCase => ({
  says,
  answer,
  shown: [record],
  requests,
});
/** Care records that cannot be stored, and come again. */
const unusable = (says: string, answer: (kvnr: string) => string, refused: string): CareCase => ({
  says,
  answer: (kvnr) => httpAnswer(200, answer(kvnr)),
  refused,
  requests: 2,
});
const documentOf = (contentBase64: unknown) => ({ id: 'd1', mediaType: 'text/plain', contentBase64 });

const careRecords: readonly CareCase[] = [
  { says: 'no care records', answer: (kvnr) => httpAnswer(200, recordsOf(kvnr)), shown: [], requests: 1 },
  oddRecord(
    'a programme and a status that are unknown',
    { ...record, id: '2', programme: 'NEW', status: 'ended' },
    'careRecords[1].programme: not one of the allowed; careRecords[1].status: not one of the allowed',
  ),
  oddRecord(
    'optional fields that are null',
    { ...record, id: '2', end: null, provider: null, diagnoses: null, documents: null },
    'careRecords[1].end: not of type string; careRecords[1].provider: not of type object; careRecords[1].diagnoses: not of type array; careRecords[1].documents: not of type array',
  ),
  oddRecord(
    'required fields that are null',
    { ...record, id: '2', start: null, title: null },
    'careRecords[1].title: not of type string; careRecords[1].start: not of type string',
  ),
  oddRecord(
    'a record that is only an ID',
    { id: '2' },
    'careRecords[1].programme: missing; careRecords[1].title: missing; careRecords[1].status: missing; careRecords[1].start: missing',
  ),
  oddRecord(
    'dates in German form and with a time',
    { ...record, id: '2', start: '01.02.2026', end: '2026-02-01T00:00:00+01:00' },
    'careRecords[1].start: not a date; careRecords[1].end: not a date',
  ),
  oddRecord('an ID of 100 characters', { ...record, id: 'x'.repeat(100) }, 'careRecords[1].id: too long'),
  oddRecord(
    'a document without content',
    { ...record, id: '2', documents: [documentOf(null), {}] },
    'careRecords[1].documents[0].contentBase64: not of type string; careRecords[1].documents[1].id: missing; careRecords[1].documents[1].mediaType: missing; careRecords[1].documents[1].contentBase64: missing',
  ),
  oddRecord(
    'documents that are null or texts',
    { ...record, id: '2', documents: [null, 'x'] },
    'careRecords[1].documents[0]: not of type object; careRecords[1].documents[1]: not of type object',
  ),
  oddRecord(
    'documents as an object',
    { ...record, id: '2', documents: { 0: documentOf('QQ==') } },
    'careRecords[1].documents: not of type array',
  ),
  {
    says: 'a text with a lone surrogate',
    answer: (kvnr) => httpAnswer(200, recordsOf(kvnr, { ...record, title: '\ud83d' })),
    shown: [{ ...record, title: '\ud83d' }],
  },
  oddWay('a field twice: the last one counts', (kvnr) =>
    httpAnswer(200, one(kvnr).replace('{"id"', '{"title":1,"id"')),
  ),
  oddWay('its KVNR in lower case and with blanks', (kvnr) => httpAnswer(200, one(` ${kvnr.toLowerCase()} `))),
  oddWay('a byte order mark', (kvnr) => httpAnswer(200, `\ufeff${one(kvnr)}`)),
  oddWay('UTF-16 with a byte order mark', (kvnr) => httpAnswer(200, utf16(`\ufeff${one(kvnr)}`))),
  oddWay('NUL and a byte order mark behind it', (kvnr) => httpAnswer(200, `${one(kvnr)}\0\n\ufeff`)),
  oddWay('UTF-8, but says UTF-16', (kvnr) => httpAnswer(200, one(kvnr), typed('application/json; charset=utf-16'))),
  oddWay('UTF-16BE with a byte order mark', (kvnr) => httpAnswer(200, utf16(`\ufeff${one(kvnr)}`).swap16())),
  oddWay('UTF-16LE that is declared', (kvnr) =>
    httpAnswer(200, utf16(one(kvnr)), typed('application/json;charset=utf-16le')),
  ),
  oddWay('ISO-8859-1 that is declared', (kvnr) =>
    httpAnswer(200, Buffer.from(one(kvnr), 'latin1'), typed('application/json; charset=ISO-8859-1')),
  ),
  {
    says: 'windows-1252 that is declared in quotes, with the euro sign',
    answer: (kvnr) =>
      httpAnswer(
        200,
        Buffer.from(one(kvnr).replace('Asthma', 'Asthma \x80'), 'latin1'),
        typed('application/json; Charset="windows-1252"'),
      ),
    shown: [{ ...record, title: 'Asthma € Groß' }],
    requests: 1,
  },
  oddWay('a charset that nobody knows', (kvnr) =>
    httpAnswer(200, one(kvnr), typed('application/json; charset=klingon')),
  ),
  oddWay('Content-Type: text/plain', (kvnr) => httpAnswer(200, one(kvnr), typed('text/plain'))),
  {
    says: 'ISO-8859-1 that is not declared',
    answer: (kvnr) => httpAnswer(200, Buffer.from(one(kvnr), 'latin1')),
    refused: 'answer: not UTF-8 (ISO-8859-1 fits)',
    requests: 2,
  },
  {
    says: 'windows-1252 that is not declared',
    answer: (kvnr) => httpAnswer(200, Buffer.from(one(kvnr).replace('Asthma', 'Asthma \x96'), 'latin1')),
    refused: 'answer: not UTF-8 (windows-1252 fits)',
    requests: 2,
  },
  oddWay('a body that ends with its connection', (kvnr) => ({ closes: Buffer.from(head() + one(kvnr)) })),
  oddWay('HTTP/1.0', (kvnr) => ({ closes: Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${one(kvnr)}`) })),
  oddWay('HTTP/1.0 with a length', (kvnr) => ({
    closes: Buffer.from(httpAnswer(200, one(kvnr)).toString().replace('HTTP/1.1', 'HTTP/1.0')),
  })),
  oddWay('no reason phrase', (kvnr) => Buffer.from(httpAnswer(200, one(kvnr)).toString().replace(' Whatever', ''))),
  oddWay('names of headers in upper case', (kvnr) =>
    Buffer.from(httpAnswer(200, one(kvnr)).toString().replace('content-length', 'CONTENT-LENGTH')),
  ),
  oddWay('trailers', (kvnr) =>
    Buffer.concat([
      Buffer.from(head('Transfer-Encoding: chunked', 'Trailer: Digest')),
      chunked(Buffer.from(one(kvnr))),
      Buffer.from('Digest: x\r\n\r\n'),
    ]),
  ),
  oddWay('chunk extensions', (kvnr) =>
    Buffer.concat([
      Buffer.from(head('transfer-encoding: chunked')),
      chunked(Buffer.from(one(kvnr)), ';name="value"'),
      Buffer.from('\r\n'),
    ]),
  ),
  oddWay('early hints', (kvnr) =>
    Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'), httpAnswer(200, one(kvnr))]),
  ),
  oddWay('an interim answer of HTTP/1.0', (kvnr) =>
    Buffer.concat([Buffer.from('HTTP/1.0 100 Continue\r\n\r\n'), httpAnswer(200, one(kvnr))]),
  ),
  oddWay('an interim answer that closes the connection, and does not', (kvnr) =>
    Buffer.concat([Buffer.from('HTTP/1.1 103 X\r\nConnection: close\r\n\r\n'), httpAnswer(200, one(kvnr))]),
  ),
  oddWay('line ends without CR', (kvnr) =>
    Buffer.from(`HTTP/1.1 200 OK\nContent-Length: ${Buffer.byteLength(one(kvnr))}\n\n${one(kvnr)}`),
  ),
  oddWay('a folded header', (kvnr) =>
    Buffer.from(`${head(`Content-Length: ${Buffer.byteLength(one(kvnr))}`, 'X: a\r\n b')}${one(kvnr)}`),
  ),
  oddWay('a length and chunks', (kvnr) =>
    Buffer.concat([
      Buffer.from(head(`Content-Length: 7`, 'Transfer-Encoding: chunked')),
      chunked(Buffer.from(one(kvnr))),
      Buffer.from('\r\n'),
    ]),
  ),
  oddWay('blanks behind the size of a chunk', (kvnr) =>
    Buffer.concat([
      Buffer.from(head('transfer-encoding: chunked')),
      chunked(Buffer.from(one(kvnr)), '  '),
      Buffer.from('\r\n'),
    ]),
  ),
  oddWay('a head of 40 KB', (kvnr) => httpAnswer(200, one(kvnr), { 'x-much': 'x'.repeat(40_000) })),
  oddWay('gzip', (kvnr) => httpAnswer(200, gzipSync(one(kvnr)), { 'content-encoding': 'GZIP' })),
  oddWay('plain JSON that says gzip', (kvnr) => httpAnswer(200, one(kvnr), { 'content-encoding': 'gzip' })),
  oddWay('Content-Encoding: utf-8', (kvnr) => httpAnswer(200, one(kvnr), { 'content-encoding': 'utf-8' })),
  oddWay('several gzip members', (kvnr) =>
    httpAnswer(200, Buffer.concat([gzipSync(one(kvnr).slice(0, 20)), gzipSync(one(kvnr).slice(20))]), {
      'content-encoding': 'gzip',
    }),
  ),
  oddWay('white space around the answer', (kvnr) => httpAnswer(200, `\r\n\t ${one(kvnr)}\r\n\r\n`)),
  oddWay('pretty printing', (kvnr) =>
    httpAnswer(200, JSON.stringify(JSON.parse(one(kvnr)), undefined, 4).replaceAll('\n', '\r\n')),
  ),
  {
    says: 'deflate, which nobody asked for',
    answer: (kvnr) => httpAnswer(200, deflateSync(one(kvnr)), { 'content-encoding': 'deflate' }),
    refused: 'contract',
    requests: 3,
  },
  {
    says: 'brotli, which nobody asked for',
    answer: (kvnr) => httpAnswer(200, brotliCompressSync(one(kvnr)), { 'content-encoding': 'br' }),
    refused: 'contract',
    requests: 3,
  },
  {
    says: 'NaN',
    answer: (kvnr) => httpAnswer(200, one(kvnr).replace('{', '{"n":NaN,')),
    refused: 'not-json',
    requests: 3,
  },
  { says: 'an empty answer', answer: () => httpAnswer(200), refused: 'not-json', requests: 3 },
  { says: 'null', answer: () => httpAnswer(200, 'null'), refused: 'contract', requests: 3 },
  {
    says: 'no content (204)',
    answer: () => Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'),
    refused: 'contract',
    requests: 3,
  },
  {
    says: 'no KVNR',
    answer: () => httpAnswer(200, JSON.stringify({ careRecords: [record] })),
    refused: 'contract',
    requests: 3,
  },
  {
    says: 'the KVNR of somebody else',
    answer: () => httpAnswer(200, one(kvnrOf(99, 0))),
    refused: 'wrong-patient',
    requests: 3,
  },
  unusable(
    'care records that are null',
    (kvnr) => JSON.stringify({ kvnr, careRecords: null }),
    'careRecords: not of type array',
  ),
  unusable('care records that are missing', (kvnr) => JSON.stringify({ kvnr }), 'careRecords: missing'),
  unusable(
    'care records as an object',
    (kvnr) => JSON.stringify({ kvnr, careRecords: { 1: record } }),
    'careRecords: not of type array',
  ),
  unusable('a record that is null', (kvnr) => recordsOf(kvnr, record, null), 'careRecords[1]: not of type object'),
  unusable(
    'a record without ID',
    (kvnr) => recordsOf(kvnr, record, { ...record, id: undefined }),
    'careRecords[1].id: missing',
  ),
  unusable(
    'an ID as number',
    (kvnr) => recordsOf(kvnr, record, { ...record, id: 2 }),
    'careRecords[1].id: not of type string',
  ),
  unusable(
    'an ID of 2 000 characters',
    (kvnr) => recordsOf(kvnr, { ...record, id: 'x'.repeat(2_000) }),
    'careRecords[0].id: too long',
  ),
  unusable(
    'an ID of 400 emojis',
    (kvnr) => recordsOf(kvnr, { ...record, id: '😀'.repeat(400) }),
    'careRecords[0].id: too long',
  ),
  unusable(
    '300 levels',
    (kvnr) => one(kvnr).replace('{', `{"x":${'['.repeat(300)}${']'.repeat(300)},`),
    'answer: nested too deeply',
  ),
  unusable('an empty ID', (kvnr) => recordsOf(kvnr, { ...record, id: '' }), 'careRecords[0].id: empty'),
  unusable('the same ID twice', (kvnr) => recordsOf(kvnr, record, record), 'careRecords[1].id: not unique'),
  oddWay('100 Continue, which nobody asked for', (kvnr) => Buffer.concat([interim, httpAnswer(200, one(kvnr))])),
];

const documents: readonly { readonly says: string; readonly sent: string; readonly isFlagged?: true }[] = [
  { says: 'base64', sent: 'QUJD' },
  { says: 'base64 with line breaks', sent: 'QUJD\r\nREVG' },
  { says: 'base64url', sent: '-_-_' },
  { says: 'a data URL', sent: 'data:text/plain;base64,QUJD' },
  { says: 'a data URL that is percent-encoded', sent: 'data:text/plain,Hello%20World' },
  { says: 'a data URL in base64 with percent-encoded padding', sent: 'data:text/plain;base64,QUI%3D' },
  { says: 'a data URL with a quoted comma', sent: 'data:text/plain;charset="a,b";base64,QUJD' },
  { says: 'two words', sent: 'Kein Befund', isFlagged: true },
  { says: 'no base64 at all', sent: 'Guten Tag, Jürgen!', isFlagged: true },
  { says: 'nothing', sent: '' },
];

/** A run takes seconds, so a list has several oddities. */
const lists: readonly ListCase[] = [
  {
    says: 'a byte order mark, text/plain',
    answer: (list) => httpAnswer(200, `\ufeff${list}`, typed('text/plain')),
  },
  {
    says: 'UTF-16 with a byte order mark, in HTTP/1.0, until the connection ends',
    answer: (list) => ({ closes: Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), utf16(`\ufeff${list}`)]) }),
  },
  {
    says: 'UTF-16BE that is declared, with chunk extensions and trailers',
    answer: (list) =>
      Buffer.concat([
        Buffer.from(head('Transfer-Encoding: chunked', 'CONTENT-TYPE: application/json; charset=UTF-16BE')),
        ...[chunked(utf16(list).swap16(), ';a=b'), Buffer.from('X-Rows: 1\r\n\r\n')],
      ]),
  },
  {
    says: 'ISO-8859-1 that is declared, with line breaks of Windows and a comma behind the last entry',
    answer: (list) => {
      const text = `\r\n${list.replaceAll('},{', '},\r\n{').replace(/\]$/, ',\r\n]')}\r\n\r\n`;
      return httpAnswer(200, Buffer.from(text, 'latin1'), typed('application/json; charset=iso-8859-1'));
    },
  },
  {
    says: 'windows-1252 that is declared, with a weak ETag, as gzip, which nobody asked for',
    answer: (list) =>
      httpAnswer(200, gzipSync(Buffer.from(list, 'latin1')), {
        ...typed('application/json;charset="windows-1252"'),
        ...{ 'content-encoding': 'gzip', etag: 'W/"1"', 'accept-ranges': 'bytes' },
      }),
  },
  {
    says: 'ISO-8859-1 that is not declared: only the people with umlauts wait',
    answer: (list) => httpAnswer(200, Buffer.from(list, 'latin1')),
    quarantined: 'entry: not UTF-8 (ISO-8859-1 fits)',
  },
  {
    says: 'plain, but says gzip, with a comma that is missing and a NUL at the end',
    answer: (list) => httpAnswer(200, `${list.replace('},{', '}{')}\0`, { 'content-encoding': 'gzip' }),
  },
  {
    says: 'brotli, which nobody asked for',
    answer: (list) => httpAnswer(200, brotliCompressSync(list), { 'content-encoding': 'br' }),
    refused: 'list: content-encoding',
  },
  {
    says: 'a list within an object',
    answer: (list) => httpAnswer(200, `{"patients":${list}}`),
    refused: 'list: not an array',
  },
  { says: 'two lists', answer: (list) => httpAnswer(200, `${list}\n${list}`), refused: 'list: trailing-bytes' },
  {
    says: '100 Continue, which nobody asked for',
    answer: (list) => Buffer.concat([interim, httpAnswer(200, list)]),
  },
];

const numbered = <Case>(cases: readonly Case[], from: number) =>
  cases.map((each, index) => ({ ...each, index, kvnr: kvnrOf(from + index, 0) }));
const people = {
  entries: numbered(entries, 100),
  careRecords: numbered(careRecords, 200),
  documents: numbered(documents, 300),
  juergen: kvnrOf(1, 0),
};

/** The list of a day, and how it is sent. */
const today = { givenName: 'Jürgen', send: lists[0]?.answer as ListCase['answer'] };
const listOfToday = (): string => {
  const { entries, careRecords, documents, juergen } = people;
  return `[${[
    person(juergen, { familyName: 'Groß', givenName: today.givenName }),
    ...entries.map(({ entry, kvnr }) => entry(kvnr)),
    ...[...careRecords, ...documents].map(({ kvnr }) => person(kvnr)),
    ...entries.flatMap(({ again, kvnr }) => again?.(kvnr) ?? []),
  ].join(',')}]`;
};

/** Number of requests for a patient in a run, after which the run goes on without them. The next run gets a sound answer. */
const requestsMax = 3;

function answerTo({ path }: RawRequest): Sent {
  if (path === '/patients') return today.send(listOfToday());
  const [, , kvnr = ''] = path.split('/');
  const odd = people.careRecords.find((each) => each.kvnr === kvnr);
  if (odd !== undefined && !(odd.requests === requestsMax && requestsFor(kvnr) > requestsMax)) return odd.answer(kvnr);
  const { sent } = people.documents.find((each) => each.kvnr === kvnr) ?? {};
  return httpAnswer(
    200,
    sent === undefined ? one(kvnr) : recordsOf(kvnr, { ...record, documents: [documentOf(sent)] }),
  );
}

let insurer: RawInsurer;
let day: Day;
let call: CallWithPermittedRole;
let firstDay: Progress;
let issuesOfFirstDay: readonly Issue[];

interface Issue {
  readonly kind: string;
  readonly reason: string;
  readonly patientRef?: string;
  readonly position?: number;
}
const issuesOf = async ({ runId }: Progress): Promise<readonly Issue[]> =>
  (await call('listIssues', { query: `?runId=${runId}` })).json.issues;
const readPatient = async (kvnr: string): Promise<Answer> =>
  await call('readPatient', { params: { patientRef: day.refOf(kvnr) } });
/** What the issues of the first day say about a patient. */
const toldAbout = (kvnr: string): string[] =>
  issuesOfFirstDay
    .filter(({ patientRef }) => patientRef === day.refOf(kvnr))
    .map(({ kind, reason }) => `${kind}: ${reason}`);
/** After forty failures in a row, each request waits up to a minute until one succeeds. */
async function endOutage(): Promise<void> {
  const { json } = await call('requestPatientSync', { body: { kvnr: people.juergen } });
  const sync = async () => (await call('readLastSync', { params: { patientRef: json.patientRef } })).json;
  await expect.poll(sync, { timeout: 20_000 }).toMatchObject({ syncId: json.syncId, state: 'completed' });
}
const requestsFor = (kvnr: string): number => insurer.seen.filter(({ path }) => path.includes(kvnr)).length;

beforeAll(async () => {
  insurer = await startRawInsurer((request) => {
    const sent = answerTo(request);
    if (Buffer.isBuffer(sent)) request.socket.write(sent);
    else request.socket.end(sent.closes);
  });
  day = await startDay({ patients: 1 }, { CARE_MAX_ATTEMPTS: String(requestsMax) }, { api: true });
  ({ call } = await openApi(day.stack));
  await day.startWorker({ INSURER_BASE_URL: insurer.baseUrl });
  firstDay = await day.runToEnd();
  issuesOfFirstDay = await issuesOf(firstDay);
}, 120_000);
afterAll(async () => {
  await day?.[Symbol.asyncDispose]();
  await insurer?.[Symbol.asyncDispose]();
});

/** Everything that the workers have logged. */
const readLogs = (): string =>
  globSync(join(day.stack.dir, 'worker-*.log'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('');

test('a run with all odd entries and care records is completed with problems, and counts them by path', () => {
  expect(firstDay).toMatchObject({
    ...{ state: 'completed-with-problems', phase: 'done', awaitingDecision: false, patients: { removed: 0 } },
    quality: { quarantinedPercent: expect.any(Number), failedPercent: expect.any(Number) },
  });
  const { quarantinedPercent = 0, failedPercent = 0, unreadablePercent, byProblem = [] } = firstDay.quality ?? {};
  expect(unreadablePercent).toBe(Math.max(quarantinedPercent, failedPercent));
  expect(unreadablePercent).toBeGreaterThanOrEqual(5);
  expect(byProblem.length).toBe(20);
  expect(byProblem.map(({ path }) => path)).toContain('careRecords[].documents[].contentBase64');
  expect(byProblem.filter(({ path }) => /\[\d/.test(path))).toEqual([]);
});

test('no issue, no progress and no log has a value', () => {
  const kvnrs = [people.entries, people.careRecords, people.documents].flat().map(({ kvnr }) => kvnr);
  const text = JSON.stringify([issuesOfFirstDay, firstDay]) + readLogs();
  for (const value of ['Mustermann', 'Erika', 'Asthma', '01.02.', ...kvnrs]) expect(text).not.toContain(value);
});

describe('an entry of the list', () => {
  test.for(people.entries)('$says', async ({ kvnr, index, entry, flagged, quarantined }) => {
    const { status, json } = await readPatient(kvnr);
    if (quarantined !== undefined) {
      expect(status).toBe(404);
      const issue = issuesOfFirstDay.find(({ position }) => position === 1 + index);
      expect(issue).toMatchObject({ kind: 'quarantined', reason: quarantined });
      return;
    }
    expect(json).toMatchObject({ patient: JSON.parse(entry(kvnr)), careRecords: [record] });
    expect(toldAbout(kvnr)).toEqual(flagged === undefined ? [] : [`flagged: ${flagged}`]);
  });
});

describe('care records', () => {
  test.for(people.careRecords)('$says', async ({ kvnr, shown = [], flagged, refused, requests = 1 }) => {
    const { json } = await readPatient(kvnr);
    expect(json.careRecords).toEqual(shown);
    const told = [flagged && `flagged: ${flagged}`, refused && `care-records: ${refused}`];
    expect(toldAbout(kvnr)).toEqual(told.filter(Boolean));
    expect(requestsFor(kvnr)).toBe(requests);
  });
});

describe('a document', () => {
  test.for(people.documents)('$says is a file, and can be read as it was sent', async ({ kvnr, sent, isFlagged }) => {
    expect(toldAbout(kvnr)).toEqual(
      isFlagged ? ['flagged: careRecords[0].documents[0].contentBase64: not base64'] : [],
    );
    const { json } = await readPatient(kvnr);
    const [token = ''] = linksIn(json);
    const read = async (query: string) => {
      const { headers } = await call('readDocument', { params: { token }, query });
      return Buffer.from(await (await fetch(headers.get('location') ?? '')).arrayBuffer());
    };
    const { content } = json.careRecords[0].documents[0];
    expect(content.as).toBe(isFlagged ? 'sent' : undefined);
    const bytes = await read('');
    expect(bytes).toEqual(Buffer.from(decodeContent(sent) ?? sent));
    const kept = content.as === 'sent' || content.sent !== undefined;
    expect(kept ? String(await read('?as=sent')) : bytes.toString('base64')).toBe(sent);
  });
});

test('flagged care records are counted', () => {
  const flagged = issuesOfFirstDay.filter(({ kind, position }) => kind === 'flagged' && position === undefined);
  const { length } = [
    ...people.careRecords.filter(({ flagged }) => flagged !== undefined),
    ...people.documents.filter(({ isFlagged }) => isFlagged),
  ];
  expect(flagged).toHaveLength(length);
  expect(firstDay.careRecords.flagged).toBe(length);
});

describe('a list', () => {
  test.for(lists.map((list, index) => ({ ...list, index })))(
    '$says',
    async ({ answer, quarantined, refused, index }) => {
      const before = today.givenName;
      Object.assign(today, { givenName: `Jürgen ${index}`, send: answer });
      const progress = await day.runToEnd();
      const issues = await issuesOf(progress);
      if (quarantined !== undefined || refused !== undefined) today.givenName = before; // as it was stored
      const { patient } = (await readPatient(people.juergen)).json;
      expect(patient).toMatchObject({ familyName: 'Groß', givenName: today.givenName });
      const aboutList = issues.filter(
        ({ kind, position }) => kind === 'list' || (kind === 'quarantined' && position === 0),
      );
      expect(aboutList.map(({ reason }) => reason)).toEqual([refused, quarantined].filter(Boolean));
      expect(progress).toMatchObject({
        state: refused === undefined ? expect.stringMatching(/^completed/) : 'failed',
        patients: { removed: 0 },
      });
      if (refused !== undefined) await endOutage();
    },
  );

  test('that is empty removes nobody before an operator has decided', async () => {
    today.send = () => httpAnswer(200, '[]');
    await day.sync.start();
    const { decision } = await day.until(({ awaitingDecision }) => awaitingDecision);
    expect(decision).toMatchObject({ reasons: expect.arrayContaining(['nobody-left']) });
    await call('decideRemovals', { body: { decision: 'reject', listId: decision?.listId } });
    expect(await day.ended()).toMatchObject({ patients: { removed: 0 } });
    expect((await readPatient(people.juergen)).status).toBe(200);
  });
});

test('an answer that cannot be stored was asked for twice on this day, in all runs and by a person', async () => {
  const twice = people.careRecords.filter(({ requests }) => requests === 2);
  const { kvnr = '', refused = '' } = twice[0] ?? {};
  const { json } = await call('requestPatientSync', { body: { kvnr } });
  const sync = async () => (await call('readLastSync', { params: { patientRef: json.patientRef } })).json;
  await expect.poll(sync, { timeout: 20_000 }).toMatchObject({ state: 'failed', error: refused });
  expect(twice.map(({ kvnr }) => requestsFor(kvnr))).toEqual(twice.map(() => 2));
});

test('no two requests overlapped', () => {
  expect(insurer.overlaps).toBe(0);
});

test('a token with a line break is refused at the start, by name and without its value', async () => {
  const settings = { INSURER_BASE_URL: insurer.baseUrl, INSURER_API_TOKEN: 'geheim\nX-Injected: 1' };
  await expect(day.startWorker(settings)).rejects.toThrow();
  const logs = readLogs();
  expect(logs).toMatch(/INSURER_API_TOKEN: has a line break/);
  expect(logs).not.toContain('geheim');
});
