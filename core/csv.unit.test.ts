import { expect, test } from 'vitest';
import { csvLine } from './csv.ts';

test('separators, quotes and line breaks stay inside their value', () => {
  expect(csvLine(['a,b;c', 'say "hi"', 'x\ny', undefined, 7], ';')).toBe('"a,b;c";"say ""hi""";"x\ny";"";"7"\r\n');
  expect(csvLine(['a', 'b'], ',')).toBe('"a","b"\r\n');
});

test.each([',', ';'] as const)('with separator %s, a value that looks like a formula is saved as text', (separator) => {
  const values = ['=HYPERLINK("x")', '-1+2', '@a', '+1', '\t=1', '\r=1', '\n=1', 'a;=1', 'a,=1'];
  const line = csvLine(values, separator);
  expect(line.match(/"'(?=[=+\-@\t\r\n])/g)).toHaveLength(7);
  expect(line.split(`"${separator}"`)).toHaveLength(values.length);
});
