import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changedKvnrReasons } from '../../core/domain/changed-kvnr.ts';
import { lineFaults } from '../../core/domain/line.ts';
import { readEntry } from '../../core/domain/patient-entry.ts';
import { malformationKinds, malformedEntry } from '../../simulator/patient-entry.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { describeReason } from './reasons.ts';

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
        /finalFailure\((?:\w+ \? '(\w+)' : )?'(\w+)'|answer [^']*', '(\w+)'\)|(?:reason|error): (?:[\w.]+ \?\? )?'(\w+)'/g,
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

/** What the activities find wrong with a list. */
const listReasons = [
  ...['not an array', 'not-an-array', 'truncated', 'trailing-bytes', 'syntax', 'segment-missing', 'segment-corrupt'],
  ...['content-encoding', 'content-range', 'content-length', 'etag', 'status 404'],
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

test('each problem of an entry is described, and an unknown reason is shown as it is', () => {
  expect(describeReason('kvnr: check digit; address.city: not of type string; and 3 more', de)).toBe(
    'KVNR: falsche Prüfziffer; Ort: falscher Typ; und 3 weitere',
  );
  expect(describeReason('entry: not UTF-8 (ISO-8859-1 fits)', en)).toBe('entry: not UTF-8 (ISO-8859-1 fits)');
  expect(describeReason('careRecords[2].documents[0].id: not unique; careRecords[3]: missing; and more', de)).toBe(
    'careRecords[2].documents[0].id: nicht eindeutig; careRecords[3]: fehlt; und weitere',
  );
  expect(describeReason('list: status 404', de)).toBe('Liste: Antwort mit Status 404');
  expect(describeReason('reset', en)).toBe('all requests failed; last error: connection reset');
  expect(describeReason('StoreError', de)).toBe('unerwarteter Fehler (StoreError)');
});
