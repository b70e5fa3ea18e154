import fc from 'fast-check';
import { type AccessDraft, accessOperations, roles } from './access.ts';
import { type Checkpoint, linkEntry, type StoredEntry } from './access-log.ts';
import { contentHash } from './content-hash.ts';

export const patientRef = 'ab'.repeat(16);

export const draftArbitrary: fc.Arbitrary<AccessDraft> = fc.record(
  {
    id: fc.uuid(),
    patientRef: fc.constant(patientRef),
    recorded: fc
      .date({ min: new Date('2024-01-01'), max: new Date('2026-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    operation: fc.constantFrom(...(Object.keys(accessOperations) as AccessDraft['operation'][])),
    outcome: fc.constantFrom('success', 'refused', 'failed'),
    agent: fc.record(
      {
        who: fc.string(),
        name: fc.string({ unit: 'binary' }),
        role: fc.constantFrom(...roles, 'system' as const, 'none' as const),
      },
      { requiredKeys: ['who', 'role'] },
    ),
    source: fc.record(
      { component: fc.constantFrom('api', 'sync'), correlationId: fc.uuid(), address: fc.ipV4() },
      { requiredKeys: ['component'] },
    ),
    entity: fc.record({ kind: fc.constantFrom('document', 'sync', 'list'), id: fc.string() }),
    previousPatientRef: fc.constant('cd'.repeat(16)),
    nextPatientRef: fc.constant('ef'.repeat(16)),
  },
  { requiredKeys: ['id', 'patientRef', 'recorded', 'operation', 'outcome', 'agent', 'source'] },
);

export function chainOf(drafts: readonly AccessDraft[], previous?: Checkpoint): StoredEntry[] {
  const entries: StoredEntry[] = [];
  for (const draft of drafts) entries.push(linkEntry(draft, entries.at(-1) ?? previous));
  return entries;
}

/** Returns a chain as 0.2.0 has written it: its hashes do not cover the expiry. */
export function earlierChainOf(drafts: readonly AccessDraft[]): StoredEntry[] {
  const entries: StoredEntry[] = [];
  for (const draft of drafts) {
    const { format: _, hash: __, expiresAt, ...unhashed } = linkEntry(draft, entries.at(-1));
    entries.push({ ...unhashed, hash: contentHash(unhashed), expiresAt });
  }
  return entries;
}

export function draftOf(number: number): AccessDraft {
  return {
    id: `id-${number}`,
    patientRef,
    recorded: `2026-11-25T11:00:0${number}.000Z`,
    operation: 'read-patient',
    outcome: 'success',
    agent: { who: 'user', name: 'Änne', role: 'clinician' },
    source: { component: 'api' },
  };
}
