import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKvnr } from './kvnr.ts';
import { readEntry } from './patient-entry.ts';

const anna = {
  kvnr: 'A123456780',
  familyName: 'Müller',
  givenName: 'Anna',
  birthDate: '1970-02-28',
  gender: 'female',
};
const reasonOf = (entry: unknown) => {
  const read = readEntry({ text: JSON.stringify(entry) });
  return read.kind === 'quarantined' ? read.reason : 'valid';
};

test('a valid entry keeps every field as the insurer wrote it, without whitespace', () => {
  const text =
    '{ "kvnr":"A123456780","familyName":"M\\u00fcller","givenName":"😀", "birthDate":"1970-02-28",\n "gender":"female","bonus":1.0,"id":12345678901234567890,"__proto__":{"a":-0},"lone":"\\ud800"}';
  expect(readEntry({ text })).toMatchObject({
    kind: 'valid',
    kvnr: 'A123456780',
    body: '{"kvnr":"A123456780","familyName":"Müller","givenName":"😀","birthDate":"1970-02-28","gender":"female","bonus":1.0,"id":12345678901234567890,"__proto__":{"a":-0},"lone":"\\ud800"}',
  });
});

test.each([
  [{}, 'valid'],
  [{ address: { street: 'Am Ring 1', floor: 3 }, insuredSince: '2000-02-29' }, 'valid'],
  [{ familyName: '😀'.repeat(200) }, 'valid'],
  [{ kvnr: undefined }, 'kvnr: missing'],
  [{ kvnr: 'A123456789' }, 'kvnr: check digit'],
  [{ kvnr: 'a123456780' }, 'kvnr: wrong form'],
  [{ kvnr: 123456780 }, 'kvnr: not of type string'],
  [{ kvnr: null }, 'kvnr: not of type string'],
  [{ birthDate: undefined }, 'birthDate: missing'],
  [{ birthDate: '1970-02-30' }, 'birthDate: not a date'],
  [{ birthDate: '1900-02-29' }, 'birthDate: not a date'],
  [{ birthDate: '01.02.1970' }, 'birthDate: not a date'],
  [{ familyName: '' }, 'familyName: empty'],
  [{ familyName: 'x'.repeat(201) }, 'familyName: too long'],
  [{ givenName: ['Anna'] }, 'givenName: not of type string'],
  [{ gender: 'F' }, 'gender: not one of the allowed'],
  [{ address: 'Am Ring 1' }, 'address: not of type object'],
  [{ address: { postalCode: 12345 } }, 'address.postalCode: not of type string'],
  [{ insuredSince: '' }, 'insuredSince: not a date'],
  [{ birthDate: 7, gender: 'F' }, 'birthDate: not of type string; gender: not one of the allowed'],
])('%j gives the reason: %s', (change, reason) => {
  expect(reasonOf({ ...anna, ...change })).toBe(reason);
});

test.each([[null], [42], ['A123456780'], [true], [[anna]]])(
  'an entry that is not an object is quarantined: %j',
  (entry) => {
    expect(reasonOf(entry)).toBe('entry: not of type object');
  },
);

test('a person with a broken entry is still identified by a valid KVNR', () => {
  const broken = [
    readEntry({ text: '{"kvnr":"A123456780"}' }),
    readEntry({ text: '{"kvnr": "A123456780",}' }),
    readEntry({ text: '{"kvnr":"A123456780","familyName":"Mu\u0000ller"}' }),
    readEntry({ text: '{"note":"…","kvnr":"A123456780","x":"yyyy', fault: 'too-large' }),
    readEntry({ text: '{"a":[[[[]]]],"kvnr":"A123456780"}', fault: 'too-deep' }),
    readEntry({ text: '{"kvnr":"A123456780","familyName":"M\ufffdller"}', fault: 'encoding' }),
  ];
  expect(broken.map(({ kind, kvnr }) => `${kind} ${kvnr}`)).toEqual(Array(6).fill('quarantined A123456780'));
  expect(readEntry({ text: '{"kvnr":"A123456789",}' })).toEqual({ kind: 'quarantined', reason: 'entry: not JSON' });
});

test.each(['a123456780', ' A123456780', '\tA123456780 ', ' a123456780 ', '\u00a0A123456780'])(
  'an entry whose KVNR has another spelling is quarantined, but its person is identified: %j',
  (kvnr) => {
    const read = readEntry({ text: JSON.stringify({ ...anna, kvnr }) });
    expect(read).toEqual({ kind: 'quarantined', reason: 'kvnr: wrong form', kvnr: 'A123456780' });
    expect(readEntry({ text: `{"kvnr":"${kvnr}",}` }).kvnr).toBe('A123456780');
    expect(readEntry({ text: `{"kvnr":"x","kvnr" : "${kvnr}",}` }).kvnr).toBe('A123456780');
  },
);

test('the order of fields is not a change, but a digit is', () => {
  const hashOf = (more: string) => {
    const entry = readEntry({ text: `{${more},${JSON.stringify(anna).slice(1)}` });
    return entry.kind === 'valid' ? entry.contentHash : undefined;
  };
  expect(hashOf('"b":{"y":1,"x":[1,2]},"a":1')).toMatch(/^[0-9a-f]{64}$/);
  expect(hashOf('"b":{"y":1,"x":[1,2]},"a":1')).toBe(hashOf('"a":1,"b":{"x":[1,2],"y":1}'));
  expect(hashOf('"b":{"y":1,"x":[1,2]},"a":1')).not.toBe(hashOf('"a":1,"b":{"x":[2,1],"y":1}'));
  expect(hashOf('"a":1')).not.toBe(hashOf('"a":1.0'));
  expect(hashOf('"a":1')).not.toBe(hashOf('"a":"1"'));
});

test('a reason never holds a value of the entry or a name that the insurer chose', () => {
  const secret = 'xq7';
  const anything = fc.oneof(
    fc.constant(secret),
    fc.jsonValue({ maxDepth: 2 }).map((value) => ({ [secret]: value })),
    fc.constantFrom(undefined, null, 7, [secret], `1970-01-01${secret}`),
  );
  const fields = ['kvnr', 'familyName', 'givenName', 'birthDate', 'gender', 'address', 'insuredSince', secret];
  const entry = fc.record(Object.fromEntries(fields.map((name) => [name, anything])));
  fc.assert(
    fc.property(entry, (value) => {
      const read = readEntry({ text: JSON.stringify(value) });
      expect(JSON.stringify(read)).not.toContain(secret);
      expect(read.kind).toBe('quarantined');
    }),
  );
});

test('any text is validated without an error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
      const { kind, kvnr } = readEntry({ text });
      expect(kind).toBe('quarantined');
      if (kvnr !== undefined) expect(isKvnr(kvnr)).toBe(true);
    }),
  );
});
