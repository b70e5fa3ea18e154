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
])('a document is decoded from %s', (_form, text) => {
  expect(Buffer.from(decodeContent(text) ?? []).toString()).toBe('Hä?>');
});

test('both alphabets are known, and another text is not decoded', () => {
  expect(decodeContent('-_-_')).toEqual(decodeContent('+/+/'));
  for (const text of ['***', 'Ein Text ohne Kodierung.', 'A']) expect(decodeContent(text)).toBeUndefined();
});

test('a data URL may hold bytes that are no UTF-8, commas, and a percent sign that encodes nothing', () => {
  expect([...(decodeContent('data:text/plain;charset=windows-1252,%80,%zz') ?? [])]).toEqual([
    0x80,
    ...Buffer.from(',%zz'),
  ]);
});

test('a text is called decodable only if it can be decoded', () => {
  const characters = [...'ABab09+/-_=\t \n*ü,%:;'];
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
    fc
      .constantFrom('data:,', 'data:;base64,', ' DATA:a/b;BASE64,')
      .chain((url) => fc.string().map((data) => url + data)),
  );
  fc.assert(
    fc.property(text, (content) => {
      expect(isDecodable(content)).toBe(decodeContent(content) !== undefined);
    }),
  );
});

test('what is decodable is what a browser decodes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ABab09+/=\t \f*'), maxLength: 12 }), (content) => {
      const decodes = () => atob(content);
      if (isDecodable(content)) expect(decodes).not.toThrow();
      else expect(decodes).toThrow();
    }),
    { numRuns: 2_000 },
  );
});
