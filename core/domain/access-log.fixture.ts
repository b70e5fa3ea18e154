import fc from 'fast-check';
import { type AccessDraft, type AccessEntry, accessOperations, roles } from './access.ts';
import { type Checkpoint, linkEntry } from './access-log.ts';

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

export function chainOf(drafts: readonly AccessDraft[], previous?: Checkpoint): AccessEntry[] {
  const entries: AccessEntry[] = [];
  for (const draft of drafts) entries.push(linkEntry(draft, entries.at(-1) ?? previous));
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
