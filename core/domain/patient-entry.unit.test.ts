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
const nobody = { kvnrs: [], isIdentified: false };
/** Returns the person whom an entry is most probably about. */
const likeliest = (entry: ReturnType<typeof readEntry>): string | undefined =>
  entry.kind === 'readable' ? entry.kvnr : entry.kvnrs[0];

/** Returns why an entry is quarantined, or what is flagged. */
const read = (entry: unknown): string => {
  const result = readEntry({ text: JSON.stringify(entry) });
  if (result.kind === 'quarantined') return `quarantined: ${result.reason}`;
  expect(JSON.parse(result.body)).toEqual(JSON.parse(JSON.stringify(entry))); // kept as it was sent
  return result.flags === undefined ? 'as the contract says' : `flagged: ${result.flags}`;
};

test('a valid entry keeps every field as the insurer wrote it, without whitespace', () => {
  const text =
    '{ "kvnr":"A123456780","familyName":"M\\u00fcller","givenName":"😀", "birthDate":"1970-02-28",\n "gender":"female","bonus":1.0,"id":12345678901234567890,"__proto__":{"a":-0},"lone":"\\ud800"}';
  expect(readEntry({ text })).toMatchObject({
    kind: 'readable',
    kvnr: 'A123456780',
    body: '{"kvnr":"A123456780","familyName":"Müller","givenName":"😀","birthDate":"1970-02-28","gender":"female","bonus":1.0,"id":12345678901234567890,"__proto__":{"a":-0},"lone":"\\ud800"}',
  });
});

test.each([
  [{}, 'as the contract says'],
  [{ address: { street: 'Am Ring 1', floor: 3 }, insuredSince: '2000-02-29' }, 'as the contract says'],
  [{ familyName: '😀'.repeat(200) }, 'as the contract says'],
  [{ kvnr: 'a123456780' }, 'as the contract says'],
  [{ kvnr: ' A 123 456\u00a0780\t' }, 'as the contract says'],
  [{ kvnr: 'A123\u00ad456\u200b780\u2060' }, 'as the contract says'],
  [{ kvnr: undefined }, 'quarantined: kvnr: missing'],
  [{ kvnr: 'A123456789' }, 'quarantined: kvnr: check digit'],
  [{ kvnr: '1234567890' }, 'quarantined: kvnr: wrong form'],
  [{ kvnr: 'A123456780'.padEnd(51) }, 'quarantined: kvnr: wrong form'],
  [{ kvnr: 123456780 }, 'quarantined: kvnr: not of type string'],
  [{ kvnr: null }, 'quarantined: kvnr: not of type string'],
  [{ birthDate: undefined }, 'flagged: birthDate: missing'],
  [{ birthDate: null }, 'flagged: birthDate: not of type string'],
  [{ birthDate: '1950-00-00' }, 'flagged: birthDate: not a date'],
  [{ birthDate: '00000000' }, 'flagged: birthDate: not a date'],
  [{ birthDate: '1970-02-30' }, 'flagged: birthDate: not a date'],
  [{ birthDate: '1900-02-29' }, 'flagged: birthDate: not a date'],
  [{ birthDate: '01.02.1970' }, 'flagged: birthDate: not a date'],
  [{ familyName: '' }, 'flagged: familyName: empty'],
  [{ familyName: 'x'.repeat(201) }, 'flagged: familyName: too long'],
  [{ givenName: ['Anna'] }, 'flagged: givenName: not of type string'],
  [{ gender: 'X' }, 'flagged: gender: not one of the allowed'],
  [{ address: null }, 'flagged: address: not of type object'],
  [{ address: 'Am Ring 1' }, 'flagged: address: not of type object'],
  [{ address: { postalCode: 12345 } }, 'flagged: address.postalCode: not of type string'],
  [{ insuredSince: null }, 'flagged: insuredSince: not of type string'],
  [{ insuredSince: '' }, 'flagged: insuredSince: not a date'],
  [{ birthDate: 7, gender: 'F' }, 'flagged: birthDate: not of type string; gender: not one of the allowed'],
])('%j is %s', (change, expected) => {
  expect(read({ ...anna, ...change })).toBe(expected);
});

test.each([[null], [42], ['A123456780'], [true], [[anna]]])(
  'an entry that is not an object is quarantined: %j',
  (entry) => {
    expect(read(entry)).toBe('quarantined: entry: not of type object');
  },
);

test('a person with an entry that cannot be read is still identified by a valid KVNR', () => {
  const unreadable = [
    readEntry({ text: '{"kvnr": "A123456780",}' }),
    readEntry({ text: '{"kvnr": "a 123 456 780","bonus":NaN}' }),
    readEntry({ text: '{"kvnr":"A123456780","familyName":"Mu\u0000ller"}' }),
    readEntry({ text: '{"note":"…","kvnr":"A123456780","x":"yyyy', fault: 'too-large' }),
    readEntry({ text: '{"a":[[[[]]]],"kvnr":"A123456780"}', fault: 'too-deep' }),
    readEntry({ text: '{"kvnr":"A123456780","familyName":"M\ufffdller"}', fault: 'encoding' }),
    readEntry({ text: '{"kvnr":"x","kvnr" : "a123456780",}' }),
    readEntry({ text: "{'kvnr':'A123456780'}" }),
    readEntry({ text: '{kvnr:"A123456780",familyName:"X110434370"}' }),
    readEntry({ text: '{"nummer":"A123456780",}' }),
    readEntry({ text: JSON.stringify('{"note":"X110434370","kvnr":"A123456780",') }),
  ];
  for (const entry of unreadable)
    expect(entry).toMatchObject({ kind: 'quarantined', kvnrs: expect.arrayContaining(['A123456780']) });
  expect(unreadable.map(likeliest)).toEqual(Array(11).fill('A123456780'));
  expect(readEntry({ text: '{"kvnr":"A123456789",}' })).toEqual({
    kind: 'quarantined',
    reason: 'entry: not JSON',
    ...nobody,
  });
  expect(readEntry({ text: '{}', fault: 'encoding', fits: 'windows-1252' })).toEqual({
    kind: 'quarantined',
    reason: 'entry: not UTF-8 (windows-1252 fits)',
    ...nobody,
  });
});

test.each([
  ['{"kvnr":["A123456780"],"familyName":"Müller"}'],
  ['{"kvnr":{"value":"a 123 456 780"}}'],
  ['{"KVNR":"A123456780"}'],
  ['{"versichertennummer":"A123456780"}'],
  ['{"kvnr":null,"KVNR":"\\u0041123456780"}'],
  ['{"kvnr":"","id":"KVNR A123456780"}'],
  ['[{"kvnr":"A123456780"}]'],
  ['["a",1234567890,"A 123456780"]'],
  ['"A123456780"'],
  [JSON.stringify(JSON.stringify({ kvnr: 'A123456780' }))],
  [JSON.stringify({ data: JSON.stringify({ id: 'A 123456780' }) })],
  ['{"KVNR":"A123456780",}'],
  ['{"id":A123456780}'],
])('an entry with its KVNR in another place keeps the person, and may be anybody’s: %s', (text) => {
  expect(readEntry({ text })).toMatchObject({ kind: 'quarantined', kvnrs: ['A123456780'], isIdentified: false });
});

test('an entry that cannot be stored keeps relatives, too, and only its own KVNR identifies it', () => {
  const people = { mother: { kvnr: 'X110434370' }, KVNR: 'A123456780' };
  const kvnrs = ['X110434370', 'A123456780'];
  expect(readEntry({ text: JSON.stringify(people) })).toMatchObject({ kvnrs, isIdentified: false });
  expect(readEntry({ text: JSON.stringify({ ...people, kvnr: 'A123456789' }) })).toMatchObject({
    kvnrs,
    isIdentified: false,
  });
  expect(readEntry({ text: '{"kvnr":"A123456780","bonus":NaN}' })).toMatchObject({ isIdentified: true });
});

test('the order of fields is not a change, but a digit is', () => {
  const hashOf = (more: string) => {
    const entry = readEntry({ text: `{${more},${JSON.stringify(anna).slice(1)}` });
    return entry.kind === 'readable' ? entry.contentHash : undefined;
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
      const entry = readEntry({ text });
      expect(entry).toMatchObject({ kind: 'quarantined' });
      if (entry.kind === 'quarantined') for (const kvnr of entry.kvnrs) expect(isKvnr(kvnr)).toBe(true);
    }),
  );
});
