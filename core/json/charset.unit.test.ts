import { expect, test } from 'vitest';
import { splitJsonArray } from './array-splitter.ts';
import { asUtf8, charsetOf, fittingCharset, toUtf8, withoutTail } from './charset.ts';

const utf16 = (text: string, isBig = false): Buffer => {
  const bytes = Buffer.from(text, 'utf16le');
  return isBig ? bytes.swap16() : bytes;
};

test.each([
  ['as UTF-8', Buffer.from('{"a":"Müller €"}'), undefined],
  ['as UTF-8 with a byte order mark', Buffer.from('\ufeff{"a":"Müller €"}'), undefined],
  [
    'as UTF-8 with a byte order mark and another charset in the header',
    Buffer.from('\ufeff{"a":"Müller €"}'),
    'a/b; charset=latin1',
  ],
  ['as UTF-16 with a byte order mark', utf16('\ufeff{"a":"Müller €"}'), undefined],
  ['as UTF-16 with the mark of the other byte order', utf16('\ufeff{"a":"Müller €"}', true), undefined],
  ['as UTF-16 without a mark', utf16('{"a":"Müller €"}', true), 'application/json;charset="UTF-16BE"'],
  ['as UTF-16BE without a mark, declared as UTF-16', utf16('{"a":"Müller €"}', true), 'a/b; charset=utf-16'],
  ['as UTF-16LE without a mark, declared as UTF-16', utf16('{"a":"Müller €"}'), 'a/b; charset=utf-16'],
  ['as windows-1252', Buffer.from('{"a":"M\xfcller \x80"}', 'latin1'), 'application/json; charset=windows-1252'],
  ['as ISO-8859-1', Buffer.from('{"a":"M\xfcller \x80"}', 'latin1'), 'application/json; CHARSET = ISO-8859-1'],
  ['as ISO-8859-1 in single quotes', Buffer.from('{"a":"M\xfcller \x80"}', 'latin1'), "a/b; charset='ISO-8859-1'"],
  ['as UTF-8, declared as UTF-16', Buffer.from('{"a":"Müller €"}'), 'a/b; charset=utf-16'],
  ['as UTF-8, declared as UTF-16BE', Buffer.from('{"a":"Müller €"}'), 'a/b; charset=utf-16be'],
  ['with a charset that nobody knows', Buffer.from('{"a":"Müller €"}'), 'application/json; charset=unknown-8bit'],
])('an answer %s is read', (_form, body, contentType) => {
  expect(toUtf8(body, contentType).toString()).toBe('{"a":"Müller €"}');
});

test('bytes that are no text in their charset are rejected', () => {
  expect(() => toUtf8(Buffer.from('M\xfcller', 'latin1'))).toThrow(TypeError);
  expect(() => toUtf8(Buffer.from([0xff, 0xfe, 0x00, 0xd8]))).toThrow(TypeError);
  expect(() => toUtf8(utf16('{"a":1}'))).toThrow(TypeError);
  expect(fittingCharset(utf16('{"a":1}'))).toBe('UTF-16LE');
  expect(fittingCharset(utf16('{"a":1}', true))).toBe('UTF-16BE');
  expect(fittingCharset(Buffer.from('M\xfcller', 'latin1'))).toBe('ISO-8859-1');
  expect(fittingCharset(Buffer.from('M\xfcller \x80', 'latin1'))).toBe('windows-1252');
});

test('white space, NUL and byte order marks may follow JSON', () => {
  for (const tail of ['', '\n', '\0', '\ufeff', ' \0\r\n\ufeff\t\0\ufeff'])
    expect(withoutTail(Buffer.from(`{"a":"\ufeff"}${tail}`)).toString()).toBe('{"a":"\ufeff"}');
  expect(withoutTail(Buffer.from('\0\ufeff ')).toString()).toBe('');
  expect(withoutTail(Buffer.from('{}\0x')).toString()).toBe('{}\0x');
});

test('the first bytes show the charset', () => {
  expect(charsetOf(Buffer.from(''))).toBe('utf-8');
  expect(charsetOf(Buffer.from([0xff]), 'a/b')).toBe('utf-8');
});

test('chunks are read as UTF-8, also if they end within a character', async () => {
  const body = utf16('\ufeff["Müller €"]');
  const chunks = async function* () {
    for (const byte of body) yield Uint8Array.of(byte);
  };
  const read = await Array.fromAsync(asUtf8(chunks(), charsetOf(body)));
  expect(Buffer.concat(read).toString()).toBe('["Müller €"]');
});

test.each([
  ['utf-16le', Buffer.from('["a\ud83d","b"]', 'utf16le')],
  ['utf-16be', Buffer.from('["a\ud83d","b"]', 'utf16le').swap16()],
  ['shift_jis', Buffer.from('["a\xa0","b"]', 'latin1')],
])(
  'bytes that are no text in %s belong to one element, which has a fault and no other charset',
  async (charset, body) => {
    const chunks = async function* () {
      for (const byte of body) yield Uint8Array.of(byte);
    };
    const elements = await Array.fromAsync(splitJsonArray(asUtf8(chunks(), charset), { elementBytes: 100, depth: 2 }));
    expect(elements.flat().map(({ fault, fits }) => [fault, fits])).toEqual([
      ['encoding', undefined],
      [undefined, undefined],
    ]);
  },
);
