import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type JsonArrayElement, JsonArrayError, type JsonArrayLimits, JsonArraySplitter } from './array-splitter.ts';

const limits: JsonArrayLimits = { elementBytes: 1_000, depth: 8 };

function split(bytes: Uint8Array | string, chunkBytes: readonly number[] = [], within = limits): JsonArrayElement[] {
  const all = Buffer.from(bytes as Uint8Array);
  const splitter = new JsonArraySplitter(within);
  const elements: JsonArrayElement[] = [];
  let at = 0;
  for (const size of [...chunkBytes, all.length]) {
    elements.push(...splitter.push(new Uint8Array(all.subarray(at, at + size))));
    at = Math.min(all.length, at + size);
  }
  splitter.end();
  return elements;
}
const byteByByte = (text: string | Uint8Array) => Array<number>(text.length * 4).fill(1);
const texts = (elements: JsonArrayElement[]) => elements.map(({ text }) => text);

function faultOf(bytes: Uint8Array | string): string {
  try {
    split(bytes);
  } catch (error) {
    if (error instanceof JsonArrayError) return `${error.fault} at ${error.bytePosition}`;
    throw error;
  }
  return 'none';
}

test('each element is returned as written, with its position', () => {
  const list = ' [ {"a":[1.0,"]}"]} ,\n"\\"," , 12345678901234567890,null ,[[]],{}] \n';
  const expected = ['{"a":[1.0,"]}"]}', '"\\","', '12345678901234567890', 'null', '[[]]', '{}'];
  expect(texts(split(list))).toEqual(expected);
  expect(texts(split(list, byteByByte(list)))).toEqual(expected);
  expect(split(list).map(({ position }) => position)).toEqual([0, 1, 2, 3, 4, 5]);
});

test.each([
  ['[NaN,{"a":NaN},{"b":-Infinity,"c":undefined},True]', ['NaN', '{"a":NaN}', '{"b":-Infinity,"c":undefined}', 'True']],
  ["[{'a':'b'},{/* c */\"a\":1},{\0},#]", ["{'a':'b'}", '{/* c */"a":1}', '{\0}', '#']],
  ['[{"a":\u00a01},\ufeff1]', ['{"a":\u00a01}', '\ufeff1']],
  ['[1,,2]', ['1', '', '2']],
  ['[1 , ]', ['1', '']],
  ['[,]', ['', '']],
  ['[{"a":1}{"b":2} \n {"c":3}]', ['{"a":1}', '{"b":2}', '{"c":3}']],
])('what is no JSON belongs to one element, and the others are read: %j', (list, expected) => {
  const withNext = list.replace('[', '[{"next":0},').replace(/\]$/, ',{"next":1}]');
  const expectedWithNext = ['{"next":0}', ...expected, '{"next":1}'];
  expect(texts(split(list))).toEqual(expected);
  expect(texts(split(withNext))).toEqual(expectedWithNext);
  expect(texts(split(withNext, byteByByte(withNext)))).toEqual(expectedWithNext);
});

test.each([
  ['M\xfcller', 'ISO-8859-1'],
  ['M\xfcller \x96', 'windows-1252'],
])('an element that is no UTF-8 says in which charset its bytes are text: %j', (name, fits) => {
  const elements = split(Buffer.from(`["${name}","Mueller"]`, 'latin1'));
  expect(elements).toMatchObject([{ fault: 'encoding', fits }, { text: '"Mueller"' }]);
});

test.each([
  '[]',
  ' [ ] ',
  '\n[\t]\r\n',
  '\ufeff[]',
  '\ufeff []',
  '[]\0',
  '[]\0\r\n\0',
  '[] \ufeff\n',
  '\ufeff[]\ufeff',
])('an empty list has no elements: %j', (list) => {
  expect(split(list)).toEqual([]);
  expect(split(list, byteByByte(list))).toEqual([]);
});

test.each([
  ['', 'truncated at 0'],
  ['  ', 'truncated at 2'],
  ['[', 'truncated at 1'],
  ['[1', 'truncated at 2'],
  ['[{"a":1}', 'truncated at 8'],
  ['["]', 'truncated at 3'],
  ['["\\"]', 'truncated at 5'],
  ['[{"a":1},', 'truncated at 9'],
  ['{}', 'not-an-array at 0'],
  ['<html>', 'not-an-array at 0'],
  ['"[]"', 'not-an-array at 0'],
  ['\0[]', 'not-an-array at 0'],
  [' \ufeff[]', 'not-an-array at 1'],
  ['\ufeff\ufeff[]', 'not-an-array at 3'],
  ['[]]', 'trailing-bytes at 2'],
  ['[] []', 'trailing-bytes at 3'],
  ['[]\ufeff[]', 'trailing-bytes at 5'],
  ['[1 2]', 'syntax at 3'],
  ['[1{}]', 'syntax at 2'],
  ['["a" {}]', 'syntax at 5'],
  ['[{}[]]', 'syntax at 3'],
  ['[{}}{}]', 'syntax at 3'],
  ['["a""b"]', 'syntax at 4'],
  ['[{]]', 'syntax at 2'],
  ['[[}]', 'syntax at 2'],
  ['[}', 'syntax at 1'],
  ['[{"a":"b"c"}]', 'syntax at 9'],
  ['[1:2]', 'syntax at 2'],
])('%j is rejected with the kind of fault and the byte position', (list, fault) => {
  expect(faultOf(list)).toBe(fault);
});

test.each(['"al"se"', '"al" se"', "'al\"se'", 'al"se', '/* al"se */ 1'])(
  'a quote where none may be never swallows the elements after it: %s',
  (name) => {
    const list = `[{"familyName":${name}},{"kvnr":"A123456780"},{"kvnr":"X110434370"}]`;
    expect(faultOf(list)).toMatch(/^syntax at /);
  },
);

test('an element that is too large is reported but not buffered, and the others are returned', () => {
  const list = `[1,{"a":"${'x'.repeat(5_000)}"},{"b":"${'y'.repeat(992)}"},{"b":"${'y'.repeat(993)}"},2]`;
  for (const chunks of [[], byteByByte(list), [700, 700, 700, 700]]) {
    const elements = split(list, chunks);
    expect(elements.map(({ fault }) => fault)).toEqual([undefined, 'too-large', undefined, 'too-large', undefined]);
    expect(elements[1]?.text).toBe(`{"a":"${'x'.repeat(994)}`);
    expect(elements[2]?.text).toHaveLength(1_000);
  }
});

test('an element that is nested too deeply is reported, and the others are returned', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const elements = split(`[${nested(8)},${nested(9)},${nested(400)},{}]`);
  expect(elements.map(({ fault }) => fault)).toEqual([undefined, 'too-deep', 'too-deep', undefined]);
});

test('bytes that are not UTF-8 affect only their element', () => {
  const bad = [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]];
  for (const bytes of bad) {
    const list = Buffer.concat([Buffer.from('["ä",{"a":"'), Buffer.from(bytes), Buffer.from('"},"€"]')]);
    for (const chunks of [[], byteByByte(list)])
      expect(split(list, chunks).map(({ fault }) => fault)).toEqual([undefined, 'encoding', undefined]);
  }
});

const jsonArray = fc.array(fc.jsonValue({ maxDepth: 5 }), { maxLength: 8 });
const roomy = { elementBytes: 1 << 20, depth: 64 };

test('any array is split into its elements, however it arrives in chunks', () => {
  fc.assert(
    fc.property(jsonArray, fc.array(fc.nat(12)), fc.nat(3), (values, chunks, indent) => {
      const elements = split(JSON.stringify(values, undefined, indent), chunks, roomy);
      expect(elements.map(({ text }) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(values)));
      expect(elements.every(({ fault }) => fault === undefined)).toBe(true);
    }),
  );
});

test('any truncated array is rejected', () => {
  fc.assert(
    fc.property(jsonArray, fc.nat(), (values, at) => {
      const whole = Buffer.from(JSON.stringify(values));
      expect(faultOf(whole.subarray(0, at % whole.length))).toMatch(/^truncated at/);
    }),
  );
});

function isJsonArray(bytes: Uint8Array): boolean {
  try {
    return Array.isArray(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return false;
  }
}

const bytesLikeJson = fc.array(fc.constantFrom(...Buffer.from('[]{}",:\\ 1te\0\n\x80\xffk')), { maxLength: 40 });

test('any bytes give elements or a JsonArrayError, independent of chunks', () => {
  const outcome = (bytes: Uint8Array, chunks: readonly number[]) => {
    try {
      return split(bytes, chunks);
    } catch (error) {
      if (!(error instanceof JsonArrayError)) throw error;
      return `${error.fault} at ${error.bytePosition}`;
    }
  };
  fc.assert(
    fc.property(
      fc.oneof(bytesLikeJson, fc.uint8Array()),
      fc.array(fc.nat(5)),
      fc.boolean(),
      (bytes, chunks, inside) => {
        const list = Uint8Array.from(inside ? [0x5b, ...bytes, 0x5d] : bytes);
        const whole = outcome(list, []);
        expect(outcome(list, chunks)).toEqual(whole);
        if (typeof whole === 'string') expect(isJsonArray(list)).toBe(false);
      },
    ),
    { numRuns: 2_000 },
  );
});
