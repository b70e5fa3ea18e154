import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKvnr } from './kvnr.ts';

const letter = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ');
const eightDigits = fc.stringMatching(/^[0-9]{8}$/);

test('the examples of the insurer’s contract are valid or invalid as stated', () => {
  for (const valid of ['A123456780', 'X110434370', 'Z987654321']) expect(isKvnr(valid)).toBe(true);
  for (const invalid of ['A123456789', 'G995030567']) expect(isKvnr(invalid)).toBe(false);
});

test('exactly one of ten check digits is valid', () => {
  fc.assert(
    fc.property(letter, eightDigits, (first, digits) => {
      const right = [...'0123456789'].filter((check) => isKvnr(first + digits + check));
      expect(right).toHaveLength(1);
    }),
  );
});

test('one mistyped digit is always found', () => {
  fc.assert(
    fc.property(letter, eightDigits, fc.nat(8), fc.integer({ min: 1, max: 9 }), (first, digits, place, offset) => {
      const kvnr = [...'0123456789'].map((check) => first + digits + check).find(isKvnr) ?? '';
      const at = place + 1;
      const mistyped = kvnr.slice(0, at) + ((Number(kvnr[at]) + offset) % 10) + kvnr.slice(at + 1);
      expect(isKvnr(mistyped)).toBe(false);
    }),
  );
});

test('a text of any other form is not a KVNR, and nothing throws', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      if (isKvnr(value)) expect(value).toMatch(/^[A-Z]\d{9}$/);
    }),
  );
  for (const odd of ['a123456780', ' A123456780', 'A123456780\n', 'Ä123456780', 'A12345678٠', '', null, 5])
    expect(isKvnr(odd)).toBe(false);
});
