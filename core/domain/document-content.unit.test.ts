import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeContent, isDecodable } from './document-content.ts';

test.each([
  ['base64', 'SMOkPz4='],
  ['base64 without padding', 'SMOkPz4'],
  ['base64url', 'SMOkPz4'.replace('/', '_')],
  ['base64 in lines', 'SMOk\r\nPz4=\n'],
  ['a data URL', 'data:text/plain;charset=utf-8;base64,SMOkPz4='],
  ['a data URL that is percent-encoded', 'data:text/plain;charset=utf-8,H%C3%A4%3f%3E'],
  ['a data URL without encoding', 'data:,Hä?>'],
  ['base64 in lines with blanks next to them', ' SMOk \r\n\t Pz4=\n'],
  ['a data URL in base64 with percent-encoded padding', ' data:application/pdf;base64,SMOkPz4%3D\n'],
  ['a data URL in base64 with a percent-encoded line break', 'data:;base64,SMOk%0D%0APz4%3d'],
  ['a data URL with a comma in its media type', 'data:text/plain;charset="a,\\"b";base64,SMOkPz4='],
  ['a data URL with a quote that does not end', 'data:text/plain;charset="a;base64,SMOkPz4='],
  ['a data URL with blanks before the encoding', 'data:text/plain; BASE64 ,SMOkPz4='],
])('a document is decoded from %s', (_form, text) => {
  expect(Buffer.from(decodeContent(text) ?? []).toString()).toBe('Hä?>');
});

test('both alphabets are known, and another text is not decoded', () => {
  expect(decodeContent('-_-_')).toEqual(decodeContent('+/+/'));
  expect(decodeContent('data:;base64,%2B%2f-_')).toEqual(decodeContent('+/+/'));
  for (const text of ['***', 'Ein Text ohne Kodierung.', 'A']) expect(decodeContent(text)).toBeUndefined();
});

test.each([
  ['Kein Befund'],
  ['Guten Tag'],
  ['siehe Anlage'],
  ['siehe\tAnlage'],
  ['QUJD REVG'],
  ['n/a'],
  ['Befund'],
  ['data:;base64,Kein%20Befund'],
])('plain text is no base64: %s', (text) => {
  expect(decodeContent(text)).toBeUndefined();
});

test.each([
  ['a blank line', `A${' '.repeat(2 ** 26)}A`],
  ['lines', 'QUJD \r\n '.repeat(2 ** 20) + '\n '.repeat(2 ** 25)],
  ['a media type without end', `data:${';" '.repeat(2 ** 24)}`],
  ['percent signs', `data:;base64,${'%%4'.repeat(2 ** 23)}`],
  ['umlauts', `data:,${'ü'.repeat(2 ** 25)}`],
])('a large text is looked at within seconds: %s', (_, text) => {
  const isText = decodeContent(text) === undefined;
  expect(isDecodable(text)).toBe(!isText);
});

test('a data URL may hold bytes that are no UTF-8, commas, and a percent sign that encodes nothing', () => {
  expect([...(decodeContent('data:text/plain;charset=windows-1252,%80,%zz') ?? [])]).toEqual([
    0x80,
    ...Buffer.from(',%zz'),
  ]);
});

test('a text is called decodable only if it can be decoded', () => {
  const characters = [...'ABab09+/-_=\t \n*ü,%:;"\\'];
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
    fc
      .constantFrom('data:,', 'data:;base64,', ' DATA:a/b;BASE64,', 'data:a/b;c="d,";base64,', 'data:"')
      .chain((url) => fc.string({ unit: fc.constantFrom(...characters, '%41', '%3D') }).map((data) => url + data)),
  );
  fc.assert(
    fc.property(text, (content) => {
      expect(isDecodable(content)).toBe(decodeContent(content) !== undefined);
    }),
  );
});

test('without blanks within a line, what is decodable is what a browser decodes and would encode like that', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'AQgwBb09+/=\n*'), maxLength: 12 }), (content) => {
      const isEncoded = (): boolean =>
        btoa(atob(content)).replace(/=+$/, '') === content.replaceAll('\n', '').replace(/=+$/, '');
      if (isDecodable(content)) expect(isEncoded()).toBe(true);
      else expect(() => isEncoded() || atob('*')).toThrow();
    }),
    { numRuns: 2_000, examples: [['AA=\n=']] },
  );
});
