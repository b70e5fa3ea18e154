import { type AccessEntry, type AccessOperation, accessOperations } from './access.ts';
import { epaSyncUri } from './fhir/uris.ts';

const dicom = 'http://dicom.nema.org/resources/ontology/DCM';
const terminology = (name: string): string => `http://terminology.hl7.org/CodeSystem/${name}`;

const patientRecord = { system: dicom, code: '110110', display: 'Patient Record' };
const auditLogUsed = { system: dicom, code: '110101', display: 'Audit Log Used' };
const importing = { system: dicom, code: '110107', display: 'Import' };
const exporting = { system: dicom, code: '110106', display: 'Export' };
const eventTypes: Readonly<Partial<Record<AccessOperation, typeof patientRecord>>> = {
  'read-access-log': auditLogUsed,
  'verify-access-log': auditLogUsed,
  'report-access-log': auditLogUsed,
  import: importing,
  export: exporting,
};

/** AuditEvent.outcome: a minor failure is caused by the caller, a serious one by epa-sync. */
const outcomes = { success: '0', refused: '4', failed: '8' } as const;

/** Type and role in AuditEvent.entity, for the object that an entry names in addition to the patient. */
const entityKinds = {
  document: { type: { code: '2', display: 'System Object' }, role: { code: '3', display: 'Report' } },
  sync: { type: { code: '4', display: 'Other' }, role: { code: '20', display: 'Job' } },
  list: { type: { code: '2', display: 'System Object' }, role: { code: '20', display: 'Job' } },
  export: { type: { code: '2', display: 'System Object' }, role: { code: '20', display: 'Job' } },
} as const;

/**
 * Returns one page of a patient's access log in FHIR R4: a Bundle of AuditEvents. Its type is `searchset`, because only
 * that type has links to further pages; a `collection` would look like the whole log.
 * @param selfUrl address of this page, without personal data
 * @param nextUrl address of the next page, if there is one
 */
export const auditEventBundle = (entries: readonly AccessEntry[], selfUrl: string, nextUrl?: string) => ({
  resourceType: 'Bundle' as const,
  type: 'searchset' as const,
  link: [{ relation: 'self', url: selfUrl }, ...(nextUrl === undefined ? [] : [{ relation: 'next', url: nextUrl }])],
  ...(entries.length > 0 && {
    entry: entries.map((entry) => ({
      fullUrl: uuidOf(entry),
      resource: auditEvent(entry),
      search: { mode: 'match' as const },
    })),
  }), // FHIR does not allow empty arrays
});

export const auditEvent = (entry: AccessEntry) => {
  const { patientRef, seq, recorded, operation, outcome, agent, source, entity } = entry;
  return {
    resourceType: 'AuditEvent' as const,
    id: `${patientRef}-${seq}`,
    extension: [chainExtension(entry)],
    type: eventTypes[operation] ?? patientRecord,
    subtype: [{ system: epaSyncUri('access-operation'), code: operation }],
    action: accessOperations[operation],
    recorded,
    outcome: outcomes[outcome],
    outcomeDesc: outcome,
    agent: [
      {
        role: [{ coding: [{ system: epaSyncUri('role'), code: agent.role }] }],
        who: { identifier: { system: epaSyncUri('agent'), value: agent.who } },
        ...(agent.name && { name: agent.name }),
        requestor: true,
        ...(source.address && { network: { address: source.address, type: '2' as const } }), // 2: an IP address
      },
    ],
    source: {
      observer: { identifier: { system: epaSyncUri('component'), value: source.component }, display: 'epa-sync' },
      type: [{ system: terminology('security-source-type'), code: '4', display: 'Application Server' }],
    },
    entity: [
      {
        what: { identifier: { system: epaSyncUri('patient-ref'), value: patientRef } },
        type: { system: terminology('audit-entity-type'), code: '1', display: 'Person' },
        role: { system: terminology('object-role'), code: '1', display: 'Patient' },
        ...detailOf(entry),
      },
      ...(entity ? [objectEntity(entity)] : []),
    ],
  };
};

/** Returns the details of the patient's entity: FHIR does not allow empty arrays. */
function detailOf({ source, previousPatientRef, nextPatientRef }: AccessEntry) {
  const details = Object.entries({ correlationId: source.correlationId, previousPatientRef, nextPatientRef });
  const detail = details.flatMap(([type, valueString]) => (valueString ? [{ type, valueString }] : []));
  return detail.length > 0 ? { detail } : {};
}

const objectEntity = ({ kind, id }: NonNullable<AccessEntry['entity']>) => {
  const { type, role } = entityKinds[kind];
  return {
    what: { identifier: { system: epaSyncUri(kind === 'document' ? 'document-sha256' : `${kind}-id`), value: id } },
    type: { system: terminology('audit-entity-type'), ...type },
    role: { system: terminology('object-role'), ...role },
  };
};

/** Returns the position of the entry in the hash chain (docs/reference/access-log.md). */
const chainExtension = ({ seq, prevHash, hash }: AccessEntry) => ({
  url: epaSyncUri('access-log-chain'),
  extension: [
    { url: 'seq', valuePositiveInt: seq },
    { url: 'prevHash', valueString: prevHash },
    { url: 'hash', valueString: hash },
  ],
});

/** Derives a UUID (version 8, custom) from the hash of an entry, so that an entry has the same UUID in every Bundle. */
const uuidOf = ({ hash }: AccessEntry): string =>
  `urn:uuid:${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
