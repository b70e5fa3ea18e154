import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRawNumber, parseLossless, printLossless } from './lossless.ts';

/** Runs tests as in a browser without these functions: there, a reviver gets no third argument. */
function withoutRawJson() {
  const { parse } = JSON;
  const natives = ['rawJSON', 'isRawJSON'].map((name) => [name, Object.getOwnPropertyDescriptor(JSON, name)] as const);
  beforeAll(() => {
    for (const [name] of natives) Reflect.deleteProperty(JSON, name);
    JSON.parse = (text, reviver) => parse(text, reviver && ((key, value) => reviver(key, value)));
  });
  afterAll(() => {
    JSON.parse = parse;
    for (const [name, native] of natives) Object.defineProperty(JSON, name, native ?? {});
  });
}

describe.each([
  ['in a browser of today', () => {}],
  ['in a browser without JSON.rawJSON', withoutRawJson],
])('%s', (_browser, prepare) => {
  prepare();

  test.each([
    '12345678901234567890',
    '1.0',
    '-0',
    '1e2',
    '1E+2',
    '0.10',
    '1e999',
    '-1.50e-7',
    '42',
    '0.1',
    '9007199254740993',
    '999999999999999',
    '-0.0',
    '0e0',
  ])('the number %s stays as written', (number) => {
    const text = `{"a":[${number},{"b":${number}}]}`;
    expect(printLossless(parseLossless(text))).toBe(text);
    expect(printLossless(parseLossless(number))).toBe(number);
  });

  test('a number that JavaScript prints identically stays a plain number', () => {
    expect(parseLossless('[42,1.0]')).toEqual([42, expect.toSatisfy(isRawNumber)]);
  });

  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.bigInt({ min: 0n, max: 10n ** 25n }),
      fc.constantFrom('', '.0', '.50', 'e3', 'E-9', '.1e+400'),
    )
    .map((parts) => parts.join(''));
  const spaced = fc.tuple(fc.constantFrom('', ' ', '\n\t'), number).map((parts) => parts.join(''));

  test('any number stays as written, at any position', () => {
    fc.assert(
      fc.property(fc.array(spaced, { minLength: 3, maxLength: 3 }), ([a = '', b = '', c = '']) => {
        expect(printLossless(parseLossless(a))).toBe(a.trim());
        const text = `{"a":${a},"b":[${b},"x, 1.0",${c}]}`;
        expect(printLossless(parseLossless(text))).toBe(`{"a":${a.trim()},"b":[${b.trim()},"x, 1.0",${c.trim()}]}`);
      }),
    );
  });

  test('a lone surrogate, NUL, and a field named __proto__ are kept', () => {
    for (const text of ['["\\ud800"]', '["\\u0000"]', '{"__proto__":{"a":1.0}}', '{"rawJSON":"1"}'])
      expect(printLossless(parseLossless(text))).toBe(text);
  });

  test('any JSON keeps its meaning, and a second round trip changes nothing', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const printed = printLossless(parseLossless(text));
        expect(JSON.parse(printed)).toEqual(JSON.parse(text));
        expect(printLossless(parseLossless(printed))).toBe(printed);
      }),
    );
  });

  test('a text that looks like a kept number stays a text', () => {
    const texts = ['raw1.0', 'raww1.0', '\\"raw2.0', 'x\\\\', '1.0', ',1.0]'];
    const text = `{"raw":1.0,"\\u0072aw1.0":-0,"a":${JSON.stringify(texts)},"b":[1e2,"\\\\"]}`;
    expect(printLossless(parseLossless(text))).toBe(text.replace('\\u0072', 'r'));
    expect(printLossless({ a: parseLossless('[1.0]') }, 2)).toBe('{\n  "a": [\n    1.0\n  ]\n}');
  });
});
