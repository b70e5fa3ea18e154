import { expect, test } from 'vitest';
import { decodeSent } from './document-file.ts';

test('a text is kept only if the base64 of its file is another text', () => {
  const bytes = Buffer.from('Hä?>');
  expect(decodeSent('SMOkPz4=')).toEqual({ bytes });
  expect(decodeSent('')).toEqual({ bytes: Buffer.from('') });
  for (const sent of ['SMOkPz4', 'SMOk\nPz4=', 'data:text/plain;base64,SMOkPz4='])
    expect(decodeSent(sent)).toEqual({ bytes: new Uint8Array(bytes), sent });
  expect(decodeSent('Kein Befund')).toEqual({ sent: 'Kein Befund' });
});
