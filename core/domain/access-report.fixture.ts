import { type AccessDraft, type AccessEntry, accessOperations } from './access.ts';
import { linkEntry } from './access-log.ts';
import type { ReportFacts } from './access-report.ts';
import { roleTexts } from './access-texts.ts';

export const patientRef = '5d41402abc4b2a76b9719d911017c592';
const systemOperations: readonly AccessDraft['operation'][] = ['import', 'change', 'removal', 'kvnr-change'];
/** Letters of many languages, and one name that no common font has. */
const names = ['Dr. Ayşe Şahin', 'Paweł Łukasik', 'Erdős Mártonné', 'Jürgen Groß-Öztürk', 'Ἀθηνᾶ Παππᾶ', '山田太郎'];
const roles = ['clinician', 'clinician', 'auditor', 'operator', 'clinician', 'none'] as const;

/** Returns a log with every kind of access, every role and every outcome, around the end of summer time. */
export function logOf(count: number): AccessEntry[] {
  const operations = Object.keys(accessOperations) as AccessDraft['operation'][];
  const entries: AccessEntry[] = [];
  for (let at = 0; at < count; at++) {
    const operation = operations[at % operations.length] ?? 'lookup';
    const isSystem = systemOperations.includes(operation);
    const person = at % names.length;
    const draft: AccessDraft = {
      id: `entry-${at}`,
      patientRef,
      recorded: new Date(Date.parse('2026-10-24T19:14:07.250Z') + at * 2_711_000).toISOString(),
      operation,
      outcome: isSystem || at % 5 < 3 ? 'success' : at % 5 === 3 ? 'refused' : 'failed',
      agent: isSystem
        ? { who: 'epa-sync', role: 'system' }
        : { who: `user-${person}`, name: names[person] ?? '', role: roles[person] ?? 'none' },
      source: { component: isSystem ? 'sync' : 'api' },
      ...(operation === 'read-document' && { entity: { kind: 'document' as const, id: 'ab'.repeat(32) } }),
    };
    entries.push(linkEntry(draft, entries.at(-1) as never));
  }
  return entries;
}

/** Returns the facts of a log that is as it was written, all of whose entries have an anchor. */
export function factsOf(entries: readonly AccessEntry[]): ReportFacts {
  const log = { patientRef, valid: true, entries: entries.length, anchored: entries.length, unanchored: 0 };
  const newest = entries.at(-1);
  return {
    madeAt: new Date('2026-11-30T06:41:00Z'),
    patientRefs: [patientRef],
    entries,
    verification: { ...log, logs: [log] },
    newestAnchors: new Map(
      newest && [
        [patientRef, { seq: newest.seq, hash: newest.hash, expiresAt: 1_900_000_000, writtenAt: 1_796_000_000 }],
      ],
    ),
  };
}

export const allRoles = Object.keys(roleTexts) as (keyof typeof roleTexts)[];
