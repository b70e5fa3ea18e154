import { describe, expect, test } from 'vitest';
import { type AccessEntry, accessOperations } from './access.ts';
import { logProblems, type Verification, verifyPerson } from './access-log.ts';
import { allRoles, factsOf, logOf, patientRef } from './access-report.fixture.ts';
import { accessReport, accessSentence, type ReportDocument } from './access-report.ts';
import { logProblemTexts, operationTexts, reportLanguages, roleTexts } from './access-texts.ts';

const [entry] = logOf(1) as [AccessEntry];
const textOf = ({ blocks }: ReportDocument): string =>
  blocks
    .map((block) =>
      block.kind === 'list' ? block.items.map(({ label = '', text }) => `${label}: ${text}`).join('\n') : block.text,
    )
    .join('\n');

describe.each(reportLanguages)('in the language %s', (language) => {
  test('each operation in each role and with each outcome is a sentence of its own, and only what was permitted has a purpose', () => {
    const sentences = new Set<string>();
    let combinations = 0;
    for (const operation of Object.keys(accessOperations) as AccessEntry['operation'][])
      for (const role of allRoles)
        for (const outcome of ['success', 'refused', 'failed'] as const) {
          const agent = { who: 'user-1', name: 'Dr. Ayşe Şahin', role };
          const sentence = accessSentence({ ...entry, operation, outcome, agent }, language);
          const { done, tried } = operationTexts[operation][language];
          expect(sentence).toContain(outcome === 'success' ? done : tried);
          const purpose = roleTexts[role].purpose?.[language];
          expect(/Zweck: |Purpose: /.test(sentence)).toBe(outcome === 'success' && role !== 'none');
          if (outcome === 'success' && purpose) expect(sentence).toContain(`: ${purpose}.`);
          expect(sentence).toContain(role === 'system' ? 'epa-sync' : 'Dr. Ayşe Şahin');
          expect(sentence).not.toMatch(/undefined|\[object| {2}|\.\.|read-|-log/);
          sentences.add(sentence);
          combinations += 1;
        }
    expect(sentences.size).toBe(combinations);
  });

  test.each(logProblems)(
    'a log that is broken (%s) is said first and at the end, and nowhere that it is complete',
    (problem) => {
      const log = { patientRef, valid: false, entries: 20, firstBrokenSeq: 7, problem, anchored: 20, unanchored: 0 };
      const report = accessReport({ ...factsOf(logOf(20)), verification: verifyPerson([log]) }, language);
      const warnings = report.blocks.filter(({ kind }) => kind === 'warning');
      expect(report.blocks[0]).toBe(warnings[0]);
      expect(warnings).toHaveLength(2);
      for (const warning of warnings)
        expect(warning).toMatchObject({ text: expect.stringContaining(`7 ${logProblemTexts[problem][language]}`) });
      expect(textOf(report)).not.toMatch(/Ergebnis: Das Protokoll ist vollständig|Result: the log is complete/);
    },
  );
});

const found = (log: Partial<Verification>) => ({ valid: true, entries: 20, anchored: 20, unanchored: 0, ...log });
const withLog = (log: Partial<Verification>): string =>
  textOf(accessReport({ ...factsOf(logOf(20)), verification: verifyPerson([{ patientRef, ...found(log) }]) }, 'de'));

test('entries of minutes ago without an anchor are no warning, and those of hours ago are', () => {
  expect(withLog({ unanchored: 1, oldestUnanchoredSeconds: 3 })).toContain('entsteht noch');
  expect(withLog({ unanchored: 3, oldestUnanchoredSeconds: 7_300 })).toContain(
    '3 Einträgen fehlt ihr Anker, seit bis zu 3 Stunden',
  );
  expect(withLog({})).not.toMatch(/fehlt ihr Anker|entsteht noch/);
});

test('times are those of clocks in Germany, and the hour that comes twice has two offsets', () => {
  const at = (recorded: string): AccessEntry => ({ ...entry, recorded });
  const report = accessReport(
    factsOf([at('2026-10-24T22:30:00.000Z'), at('2026-10-25T00:30:00.000Z'), at('2026-10-25T01:30:00.000Z')]),
    'de',
  );
  const text = textOf(report);
  expect(text).toContain('Sonntag, 25. Oktober 2026');
  expect(text).not.toContain('Samstag');
  expect(text).toContain('00:30:00 (UTC+02:00)');
  expect(text).toContain('02:30:00 (UTC+02:00)');
  expect(text).toContain('02:30:00 (UTC+01:00)');
});

test('the newest anchor is named with its entry, its whole hash and its time', () => {
  const entries = logOf(20);
  const text = textOf(accessReport(factsOf(entries), 'en'));
  expect(text).toContain('belongs to entry: 20');
  expect(text).toContain(entries.at(-1)?.hash);
  expect(textOf(accessReport({ ...factsOf(entries), newestAnchors: new Map() }, 'en'))).toContain('no anchor yet');
});

test('a person with several pseudonyms gets each log verified, and each entry says from which it is', () => {
  const other = 'ab'.repeat(16);
  const logs = [
    { patientRef, ...found({}) },
    { patientRef: other, ...found({ valid: false, firstBrokenSeq: 2, problem: 'missing' }) },
  ];
  const facts = { ...factsOf(logOf(3)), patientRefs: [patientRef, other], verification: verifyPerson(logs) };
  const text = textOf(accessReport(facts, 'de'));
  expect(text).toContain(`Kennung ${other}: Das Protokoll ist beschädigt: Eintrag 2`);
  expect(text).toContain(`Protokoll der Kennung ${patientRef}\nErgebnis: Das Protokoll ist vollständig`);
  expect(text).toContain('Eintrag 1 des Protokolls 5d41402abc4b2a76b9719d911017c592.');
});

test('a name cannot change how a line is read', () => {
  const agent = { who: 'x\u202egro', name: 'A\nB\u0000\u200f', role: 'clinician' as const };
  expect(accessSentence({ ...entry, agent }, 'de')).toMatch(/^A B \(Benutzerkonto x gro, Rolle: Behandlung\) hat/);
});

test('an ID is printed whole, because a part of it identifies nothing', () => {
  const id = '20261130T074100Z-5d41402a';
  expect(accessSentence({ ...entry, entity: { kind: 'list', id } }, 'de')).toContain(`„${id}“`);
});

test('an attempt that failed claims no cause, because a wrong request fails, too', () => {
  const failed: AccessEntry = { ...entry, operation: 'report-access-log', outcome: 'failed' };
  expect(accessSentence(failed, 'de')).toContain(
    '. Das ist nicht gelungen, und es wurden keine Daten geliefert. Eintrag',
  );
  expect(accessSentence(failed, 'en')).toContain('. This did not succeed, and no data was delivered. Entry');
});

test('another system is named as the receiver of an export, in the words of the console', () => {
  const agent = { who: 'data-warehouse', name: 'Data warehouse', role: 'integration' as const };
  const exported: AccessEntry = { ...entry, operation: 'export', outcome: 'success', agent };
  expect(accessSentence(exported, 'de')).toMatch(
    /^Data warehouse \(Benutzerkonto data-warehouse, Rolle: Schnittstelle\) hat Ihre .* in einem Export erhalten\. Zweck/,
  );
  expect(accessSentence(exported, 'en')).toMatch(/^Data warehouse \(.*role: integration\) received your /);
  const without = { ...exported, outcome: 'refused' as const, agent: { ...agent, role: 'none' as const } };
  expect(accessSentence(without, 'de')).toContain('(Benutzerkonto data-warehouse, keine Rolle) hat versucht');
});
