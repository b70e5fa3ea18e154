import { expect, test } from 'vitest';
import { csvFile } from './save-file.ts';

test('a file starts with the byte order mark of UTF-8', async () => {
  const bytes = new Uint8Array(await csvFile([['ä'], ['ö']], ';').arrayBuffer());
  expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
  expect(new TextDecoder().decode(bytes)).toBe('"ä"\r\n"ö"\r\n');
});
