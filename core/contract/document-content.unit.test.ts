import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answeredDocument, sentDocument } from './document-content.ts';

const link = { href: 'https://api/documents/t', sizeBytes: 3, sha256: 'ab', expiresAt: '2026-11-30T12:00:00.000Z' };

test('the content of a document stands in place of its text', () => {
  const sent = { id: 'd', contentBase64: '', pages: 3 };
  expect(JSON.stringify(answeredDocument(sent, link))).toBe(`{"id":"d","content":${JSON.stringify(link)},"pages":3}`);
});

test('what the insurer sends in the shape of our link is never taken for one', () => {
  const theirs = { ...link, href: 'https://elsewhere' };
  expect(answeredDocument({ contentBase64: theirs })).toEqual({ contentBase64: theirs });
  expect(answeredDocument({ content: theirs })).toEqual({ content: { insurerContent: theirs } });
  expect(answeredDocument({ content: theirs, contentBase64: '' }, link)).toEqual({
    content: { ...link, insurerContent: theirs },
  });
});

test('any document can be read back as it was sent', () => {
  const own = fc.constantFrom(link, null, 'x', [1], { insurerContent: 1 }, { content: {} });
  const document = fc.dictionary(fc.constantFrom('id', 'content', 'contentBase64', '__proto__', '7', 'x'), own);
  fc.assert(
    fc.property(document, fc.boolean(), (sent, isText) => {
      const whole = isText ? { ...sent, contentBase64: 'QUJD' } : sent;
      const answered = JSON.parse(JSON.stringify(answeredDocument(whole, isText ? link : undefined)));
      expect(sentDocument(answered, isText ? 'QUJD' : undefined)).toEqual(whole);
    }),
  );
});
