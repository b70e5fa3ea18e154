import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changedKvnrReasons } from '../../core/domain/changed-kvnr.ts';
import { lineFaults } from '../../core/domain/line.ts';
import { readEntry } from '../../core/domain/patient-entry.ts';
import type { JsonArrayFault } from '../../core/json/array-splitter.ts';
import type { PayloadFault } from '../../core/stores/objects.ts';
import { malformationKinds, malformedEntry } from '../../simulator/patient-entry.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { describeFault, describeProblem, describeReason } from './reasons.ts';

/** Extracts the codes with which workers end a sync or a list from their source files. */
function workerReasonCodes(): Set<string> {
  const worker = join(import.meta.dirname, '..', '..', 'worker');
  const sources = [
    'activities/care-records-fetch.ts',
    'activities/store-care-records.ts',
    'workflows/sync-patient.ts',
    'workflows/patient-record.ts',
    'workflows/daily-sync.ts',
  ].map((file) => readFileSync(join(worker, file), 'utf8'));
  const codes = sources.flatMap((source) =>
    [
      ...source.matchAll(
        /[fF]ailure\((?:\w+ \? '(\w+)' : )?'(\w+)'|answer [^']*', '(\w+)'[,)]|(?:reason|error): (?:[\w.]+ \?\? )?'(\w+)'/g,
      ),
    ].flatMap(([, ...words]) => words.filter((word) => word !== undefined)),
  );
  return new Set(codes);
}

/** These codes are outcomes, not reasons. */
const outcomeCodes = ['PatientNotInsured', 'PatientGone', 'PersonNotInsured', 'PersonUnknown'];
/** This code comes from Temporal. */
const temporalCodes = ['TimeoutFailure'];

const validEntry = { kvnr: 'A123456780', familyName: 'A', givenName: 'B', birthDate: '1980-01-01', gender: 'other' };
const wrongValues = [undefined, null, 7, '', 'wrong', 'ä'.repeat(300), 'A123456781', [], {}];

/** Returns the reasons and flags that readEntry gives for wrong fields, for the simulator's malformed entries, and for other JSON. */
function quarantineReasons(): Set<string> {
  const inAddress = ['street', 'postalCode', 'city', 'country'];
  const entries = [
    ...[...Object.keys(validEntry), 'address', 'insuredSince'].flatMap((field) =>
      wrongValues.map((value) => ({ ...validEntry, [field]: value })),
    ),
    ...inAddress.map((field) => ({ ...validEntry, address: { [field]: 7 } })),
    ...wrongValues.map((value) => value ?? null),
    { kvnr: 1, address: { street: 1, city: 1 } }, // more problems than a reason lists
  ];
  const texts = [
    ...entries.map((entry) => JSON.stringify(entry)),
    ...Array.from({ length: malformationKinds }, (_, number) => malformedEntry(0, number).text),
    '{',
  ];
  const judged = [
    ...texts.map((text) => readEntry({ text })),
    ...(['too-large', 'too-deep', 'encoding'] as const).map((fault) => readEntry({ text: '', fault })),
    readEntry({ text: '', fault: 'encoding', fits: 'windows-1252' }),
  ];
  return new Set(judged.flatMap((entry) => (entry.kind === 'quarantined' ? [entry.reason] : (entry.flags ?? []))));
}

/** Extracts the problems of answers from the sources that read lists, also of the second adapter. */
function answerProblems(): string[] {
  const worker = join(import.meta.dirname, '..', '..', 'worker');
  const files = [...globSync(join(worker, 'insurer/**/*.ts')), join(worker, 'activities/list-segments.ts')];
  const sources = files.filter((file) => !file.endsWith('.test.ts')).map((file) => readFileSync(file, 'utf8'));
  return sources.flatMap((source) =>
    [...source.matchAll(/(?:problem: |(?:contract|wrongPosition|notAList)\()'([^']+)'/g)].map(([, word]) => word ?? ''),
  );
}
/** Only care records have a limit of values; a list that is cut is continued. */
const problemsOfNoList = ['too many values', 'no declared end'];

const arrayFaults: Readonly<Record<JsonArrayFault, true>> = {
  'not-an-array': true,
  truncated: true,
  'trailing-bytes': true,
  syntax: true,
};
const segmentFaults: Readonly<Record<PayloadFault, true>> = { missing: true, corrupt: true };

/** What the activities find wrong with a list. An answer without a problem has a status, or only the fault of the line. */
const listReasons = [
  ...answerProblems().filter((problem) => !problemsOfNoList.includes(problem)),
  ...Object.keys(arrayFaults),
  ...Object.keys(segmentFaults).map((fault) => `segment-${fault}`),
  ...lineFaults,
  ...['not UTF-8 (UTF-16LE fits)', 'status 404', 'status 101', 'HPE_INVALID_CONSTANT', 'HPE_HEADER_OVERFLOW'],
].map((problem) => `list: ${problem}`);

test.each([
  ['German', de],
  ['English', en],
])('every reason that the code can give has a description in %s', (_, texts) => {
  const ofSyncs = [...workerReasonCodes()].filter((code) => !outcomeCodes.includes(code));
  const codes = [...ofSyncs, ...Object.values(changedKvnrReasons)];
  expect([...codes, ...temporalCodes].sort()).toEqual(Object.keys(texts.reasons.codes).sort());
  const reasons = [...codes, ...lineFaults, ...quarantineReasons(), ...listReasons];
  const undescribed = reasons.filter((reason) => describeReason(reason, texts) === texts.reasons.unexpected(reason));
  expect(undescribed).toEqual([]);
});

test('the words are found where answers are read', () => {
  expect(listReasons).toEqual(
    expect.arrayContaining(
      ['etag', 'gzip', 'too large', 'body without end', 'cursor', 'next page: too long', 'not an array'].map(
        (problem) => `list: ${problem}`,
      ),
    ),
  );
});

test('each problem of an entry is described, and an unknown reason is shown as it is', () => {
  expect(describeReason('kvnr: check digit; address.city: not of type string; and 3 more', de)).toBe(
    'KVNR: falsche Prüfziffer; Ort: falscher Typ; und 3 weitere',
  );
  expect(describeReason('entry: not UTF-8 (ISO-8859-1 fits)', en)).toBe('entry: not UTF-8 (ISO-8859-1 fits)');
  expect(describeReason('careRecords[2].documents[0].id: not unique; careRecords[3]: missing; and more', de)).toBe(
    'careRecords[2].documents[0].id: nicht eindeutig; careRecords[3]: fehlt; und weitere',
  );
  expect(describeReason('list: status 404', de)).toBe('Liste: Antwort mit Status 404');
  expect(describeReason('list: HPE_INVALID_CONSTANT', en)).toBe('list: not HTTP (HPE_INVALID_CONSTANT)');
  expect(describeReason('list: next page: too long', en)).toBe('list: the reference to the next page is too long');
  expect(describeReason('list: too-large', en)).toBe('list: answer too large');
  expect(describeReason('reset', en)).toBe('all requests failed; last error: connection reset');
  expect(describeReason('StoreError', de)).toBe('unerwarteter Fehler (StoreError)');
});

test('the report for the insurer has the same words without the path', () => {
  expect(describeFault('check digit', de)).toBe('falsche Prüfziffer');
  expect(describeFault('not UTF-8 (windows-1252 fits)', de)).toBe('kein UTF-8 (es passt: windows-1252)');
  expect(describeFault('PatientUnknown', de)).toBe('die Krankenkasse kennt diesen Patienten nicht (404)');
  for (const fault of lineFaults) expect(describeFault(fault, de)).toBe(de.run.faultKinds[fault]);
});

test('a problem that a run has counted is described, whether it has a path or is a code', () => {
  expect(describeProblem('careRecords[].start', 'not a date', en)).toBe('careRecords[].start: not a date');
  expect(describeProblem('birthDate', 'missing', de)).toBe('Geburtsdatum: fehlt');
  expect(describeProblem('answer', 'AnswerTooLarge', en)).toBe('the answer is too large');
  expect(describeProblem('answer', 'stalled', en)).toBe('all requests failed; last error: answer stalled');
  expect(describeProblem('answer', 'nested too deeply', en)).toBe('answer: nested too deeply');
});
