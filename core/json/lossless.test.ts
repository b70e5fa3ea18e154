import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isRawNumber, parseLossless, printLossless } from './lossless.ts';

test.each(['12345678901234567890', '1.0', '-0', '1e2', '1E+2', '0.10', '1e999', '-1.50e-7', '42', '0.1'])(
  'the number %s comes back as it was written',
  (number) => {
    const text = `{"a":[${number},{"b":${number}}]}`;
    expect(printLossless(parseLossless(text))).toBe(text);
    expect(printLossless(parseLossless(number))).toBe(number);
  },
);

test('a number that JavaScript prints alike stays a plain number', () => {
  expect(parseLossless('[42,1.0]')).toEqual([42, expect.toSatisfy(isRawNumber)]);
});

test('a lone surrogate, NUL, and a field named __proto__ come back', () => {
  for (const text of ['["\\ud800"]', '["\\u0000"]', '{"__proto__":{"a":1.0}}', '{"rawJSON":"1"}'])
    expect(printLossless(parseLossless(text))).toBe(text);
});

test('whatever JSON is, comes back with the same meaning, and a second round changes nothing', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const printed = printLossless(parseLossless(text));
      expect(JSON.parse(printed)).toEqual(JSON.parse(text));
      expect(printLossless(parseLossless(printed))).toBe(printed);
    }),
  );
});
