import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLossless, printLossless } from '../json/lossless.ts';
import { joinAnswer, splitAnswer } from './split-answer.ts';

const anyText = fc
  .string({ unit: 'binary' })
  .chain((text) => fc.constantFrom(text, `${text}\ud800`, '\u0000', '😀"\\/'));
const number = fc.constantFrom('1.0', '-0', '1e400', '12345678901234567890', '0.1000', '1E2', '7');

/** JSON text of any value, with numbers that JavaScript would print differently. */
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    number,
    anyText.map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true'),
    fc.array(tie('value')).map((items) => `[${items.join(',')}]`),
    fields(tie('value')).map((text) => `{${text}}`),
  ),
}));

function fields(anyValue: fc.Arbitrary<string>) {
  return fc
    .uniqueArray(fc.tuple(fc.oneof(anyText, fc.constantFrom('__proto__', 'constructor', '10')), anyValue), {
      selector: ([name]) => name,
    })
    .map((pairs) => pairs.map(([name, text]) => `${JSON.stringify(`x${name}`)}:${text}`).join(','));
}

const withFields = (known: string) => fields(value).map((more) => (more === '' ? `{${known}}` : `{${known},${more}}`));

const document = anyText.chain((content) =>
  withFields(`"id":"d","mediaType":"a/b","contentBase64":${JSON.stringify(content)}`),
);
/** Also what the contract does not allow. */
const documents = fc.oneof(
  fc
    .array(fc.oneof(document, fc.constantFrom('7', 'null', '{}', '{"contentBase64":1.0}')))
    .map((all) => `[${all.join(',')}]`),
  fc.constantFrom('null', '1.0', '{}', '"x"'),
);
const record = fc
  .tuple(anyText, fc.option(documents))
  .chain(([id, text]) => withFields(`"id":${JSON.stringify(`i${id}`)}${text === null ? '' : `,"documents":${text}`}`));
const answer = fc
  .array(record)
  .chain((records) => withFields(`"kvnr":"A123456780","careRecords":[${records.join(',')}]`));

test('any answer is identical after splitting and joining', () => {
  fc.assert(
    fc.property(answer, (text) => {
      expect(joinAnswer(splitAnswer(text))).toBe(printLossless(parseLossless(text)));
    }),
  );
});

test('compact text stays identical, including digits and the order of fields', () => {
  const text =
    '{"page":1.0,"kvnr":"A123456780","careRecords":[{"z":12345678901234567890,"id":"r#1","documents":[{"contentBase64":"**=","id":"d"}],"__proto__":-0}],"total":1e400}';
  expect(joinAnswer(splitAnswer(text))).toBe(text);
});

test('the envelope names nobody, and documents are files, with their text only if it is not the base64 of the file', () => {
  const bytes = expect.toSatisfy((file: Uint8Array) => Buffer.from(file).equals(Buffer.from('ABC')));
  const { envelope, records } = splitAnswer(
    '{"kvnr":"A123456780","careRecords":[{"id":"r","documents":[{"title":"Brief","mediaType":"text/plain","contentBase64":"QUJD"},{"contentBase64":"QU\\nJD"},{"contentBase64":"Kein Befund"},{"contentBase64":"\\ud800"}]}],"page":1}',
  );
  expect(envelope).toBe('{"kvnr":"","careRecords":[],"page":1}');
  expect(records).toEqual([
    {
      recordId: 'r',
      body: '{"id":"r","documents":[{"title":"Brief","mediaType":"text/plain","contentBase64":""},{"contentBase64":""},{"contentBase64":""},{"contentBase64":"\\ud800"}]}',
      documents: [
        { index: 0, file: { bytes, mediaType: 'text/plain', name: 'Brief.txt' } },
        { index: 1, file: { bytes, mediaType: 'application/octet-stream', name: 'document.bin' }, sent: 'QU\nJD' },
        { index: 2, sent: 'Kein Befund' },
      ],
    },
  ]);
});
