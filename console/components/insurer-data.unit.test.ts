import { expect, test } from 'vitest';
import { parseLossless } from '../../core/json/lossless.ts';
import { fieldsText, takeObjects, takeTexts } from './insurer-data.ts';

test('texts and numbers are taken, and everything else stays as it was sent', () => {
  const sent = parseLossless('{"code":"J45","text":null,"rank":1.0,"n":7,"note":"","since":["x"],"__proto__":{"a":1}}');
  const { texts, others } = takeTexts(sent, ['code', 'text', 'rank', 'n', 'note', 'since', 'absent']);
  expect(texts).toEqual({ code: 'J45', rank: '1.0', n: '7' });
  expect(JSON.stringify(others)).toBe('{"text":null,"note":"","since":["x"],"__proto__":{"a":1}}');
});

test('nothing is left of an object whose fields are all taken', () => {
  expect(takeTexts({ code: 'J45' }, ['code', 'text']).others).toBeUndefined();
  expect(takeTexts(undefined, ['code']).others).toBeUndefined();
});

test.each(['"Hauptstr. 1"', '5', '1.0', 'null', 'true', '["Hauptstr. 1"]'])(
  'in place of an object, %s stays as it was sent',
  (text) => {
    const { texts, others } = takeTexts(parseLossless(text), ['street', 'rawJSON', '0', 'length']);
    expect([texts, JSON.stringify(others)]).toEqual([{}, text]);
  },
);

test('the objects of a list are taken, and its other elements stay as they were sent', () => {
  const sent = parseLossless('[{"code":"J45"},"J45",null,1.0,[],{},{"icd":"E11"}]');
  const { objects, others } = takeObjects(sent);
  expect(objects).toEqual([{ code: 'J45' }, { icd: 'E11' }]);
  expect(JSON.stringify(others)).toBe('["J45",null,1.0,[],{}]');
  expect(takeObjects([{ code: 'J45' }]).others).toBeUndefined();
  expect(takeObjects([])).toEqual({ objects: [], others: undefined });
});

test.each(['{"code":"J45"}', '"J45"', '5', '1.0', 'null'])('in place of a list, %s stays as it was sent', (text) => {
  const { objects, others } = takeObjects(parseLossless(text));
  expect([objects, JSON.stringify(others)]).toEqual([[], text]);
});

test('fields are shown as indented JSON, and a long one hides no other', () => {
  const sent = { __proto__: null, a: [1, { b: null }], gone: undefined, '': 'x' };
  expect(fieldsText(sent)).toBe(JSON.stringify(sent, null, 2));
  expect(fieldsText(parseLossless('{"n":1.0,"__proto__":{"a":-0}}') as object as typeof sent)).toBe(
    '{\n  "n": 1.0,\n  "__proto__": {\n    "a": -0\n  }\n}',
  );
  expect(fieldsText({ gone: undefined })).toBeUndefined();
  const long = fieldsText({ history: 'größer'.repeat(1_000_000), provider: 'Dr. Müller' }) ?? '';
  expect(long.length).toBeLessThan(5_000);
  expect(long).toMatch(/ …,\n {2}"provider": "Dr. Müller"\n}$/);
  const many = fieldsText(Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`f${index}`, 1]))) ?? '';
  expect(many).toMatch(/"f199": 1,\n {2}…\n}$/);
});
