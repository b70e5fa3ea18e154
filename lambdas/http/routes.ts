import type { z } from 'zod';
import type { AccessOperation, Role } from '../../core/domain/access.ts';
import type { ProblemName } from './problems.ts';
import * as schemas from './schemas.ts';

/** Each group has its own Lambda, with the permissions that its operations need: lambdas/functions/{group}.ts. */
export const groups = [
  'sync',
  'line',
  'patients',
  'access-log',
  'fhir',
  'changes',
  'exports',
  'codec',
  'openapi',
] as const;
export type Group = (typeof groups)[number];

/** One operation of the API. Defines its route, its roles, its validation and its entry in /openapi.json. */
export interface Operation {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly group: Group;
  /**
   * roles that may call it; `link`: the path itself is the permission and no token is needed; `anyone`: no permission
   * is needed
   */
  readonly roles: readonly Role[] | 'link' | 'anyone';
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** `form`: application/x-www-form-urlencoded, as searches of FHIR are; default: JSON */
  readonly bodyType?: 'form';
  /** default: 16 KiB */
  readonly bodyMaxBytes?: number;
  readonly answer: Success;
  /** in addition to the problems of every operation */
  readonly problems: readonly ProblemName[];
  /**
   * set if the operation concerns patients: each attempt is recorded under this name, for the patient in the request
   * and all patients in the answer
   */
  readonly access?: AccessOperation;
}

export interface Success {
  readonly status: 200 | 202 | 302;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** the same content as FHIR, if the caller accepts application/fhir+json; without `schema`, there is nothing else */
  readonly fhir?: z.ZodType;
  /** describes the address of a 302, which an operation of another status answers instead if the caller does not accept FHIR */
  readonly location?: string;
  /** the same content as CSV, if the caller accepts text/csv */
  readonly csv?: z.ZodType;
}

/**
 * All operations of the API (docs/guides/api-with-curl.md). Imports only schemas, because the API stack creates its
 * routes from this table.
 */
export const operations = {
  startSync: {
    method: 'POST',
    path: '/sync',
    group: 'sync',
    roles: ['operator'],
    summary: 'Starts a run, or joins the run in progress',
    answer: { status: 202, description: 'The run.', schema: schemas.startedRun },
    problems: ['run-stopping', 'sync-unavailable'],
  },
  readProgress: {
    method: 'GET',
    path: '/sync',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'Returns the progress of the current or last run',
    answer: { status: 200, description: 'The progress.', schema: schemas.progress },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  listRuns: {
    method: 'GET',
    path: '/sync/runs',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'Lists runs, newest first',
    query: schemas.pageQuery,
    answer: { status: 200, description: 'One page of runs.', schema: schemas.runs },
    problems: ['storage-unavailable'],
  },
  listRunSamples: {
    method: 'GET',
    path: '/sync/samples',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'Returns the counts of the current or last run over time',
    answer: { status: 200, description: 'The samples.', schema: schemas.runSamples },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  listIssues: {
    method: 'GET',
    path: '/sync/issues',
    group: 'sync',
    roles: ['operator'],
    summary:
      'Lists the issues of a run: quarantined and flagged entries, flagged care records, changed KVNRs, and failed patients',
    query: schemas.issuesQuery,
    answer: { status: 200, description: 'One page of issues.', schema: schemas.issues },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  readInsurerReport: {
    method: 'GET',
    path: '/sync/insurer-report',
    group: 'sync',
    roles: ['operator'],
    summary: 'Reports what the insurer can mend, of one run or of a period: equal problems are counted',
    query: schemas.insurerReportQuery,
    answer: {
      status: 200,
      description: 'The problems, oldest run first. Also as CSV (RFC 4180), for the insurer.',
      schema: schemas.insurerReport,
      csv: schemas.insurerReportCsv,
    },
    problems: ['no-run-yet', 'report-too-large', 'storage-unavailable'],
  },
  acknowledgeIssues: {
    method: 'POST',
    path: '/sync/issues/acknowledgements',
    group: 'sync',
    roles: ['operator'],
    summary: 'Acknowledges issues with a note, in this run and all later ones',
    body: schemas.acknowledgementsBody,
    answer: { status: 200, description: 'The issues are acknowledged.', schema: schemas.acknowledgement },
    problems: ['issue-unknown', 'storage-unavailable'],
  },
  decideRemovals: {
    method: 'POST',
    path: '/sync/removals',
    group: 'sync',
    roles: ['operator'],
    summary: 'Approves or rejects removals that wait for a decision',
    body: schemas.removalsBody,
    answer: {
      status: 200,
      description: 'The decision is made. The answer holds the progress.',
      schema: schemas.progress,
    },
    problems: [
      'no-run-under-way',
      'decision-unknown',
      'no-decision-awaited',
      'decision-made',
      'decision-outdated',
      'sync-unavailable',
    ],
  },
  cancelSync: {
    method: 'POST',
    path: '/sync/cancel',
    group: 'sync',
    roles: ['operator'],
    summary: 'Cancels the run in progress and cleans up',
    body: schemas.reasonBody,
    answer: {
      status: 202,
      description: 'The run, or the refresh that follows it, will end.',
      schema: schemas.cancelling,
    },
    problems: ['no-run-under-way', 'sync-unavailable'],
  },
  readLine: {
    method: 'GET',
    path: '/line',
    group: 'line',
    roles: ['operator', 'management'],
    summary: 'Returns the state of the line and its changes',
    answer: { status: 200, description: 'The line.', schema: schemas.lineWithChanges },
    problems: ['line-unknown', 'line-unavailable'],
  },
  pauseLine: {
    method: 'POST',
    path: '/line/pause',
    group: 'line',
    roles: ['operator'],
    summary: 'Pauses the line, and answers once it is silent',
    body: schemas.pauseBody,
    answer: { status: 200, description: 'The line is paused and silent.', schema: schemas.line },
    problems: ['line-unknown', 'line-superseded', 'line-not-silent', 'line-unavailable'],
  },
  resumeLine: {
    method: 'POST',
    path: '/line/resume',
    group: 'line',
    roles: ['operator'],
    summary: 'Resumes the line',
    body: schemas.reasonBody,
    answer: { status: 200, description: 'The line is open.', schema: schemas.line },
    problems: ['line-unknown', 'line-superseded', 'line-unavailable'],
  },
  liftCooldown: {
    method: 'POST',
    path: '/line/lift',
    group: 'line',
    roles: ['operator'],
    summary: 'Lifts the cooldown of the line, so that the next request is sent immediately',
    body: schemas.reasonBody,
    answer: { status: 200, description: 'No cooldown runs.', schema: schemas.line },
    problems: ['line-unknown', 'line-unavailable'],
  },
  setPace: {
    method: 'POST',
    path: '/line/pace',
    group: 'line',
    roles: ['operator'],
    summary: 'Sets how many requests a minute the line may send',
    body: schemas.paceBody,
    answer: { status: 200, description: 'The workers keep the pace within a second.', schema: schemas.line },
    problems: ['line-unknown', 'line-unavailable'],
  },
  lookUpPatient: {
    method: 'POST',
    path: '/patients/lookup',
    group: 'patients',
    roles: ['clinician', 'operator', 'auditor'],
    summary: "Returns a patient's pseudonym. Auditors also get it for people who are not stored",
    body: schemas.lookupBody,
    answer: { status: 200, description: 'The patient.', schema: schemas.foundPatient },
    problems: ['patient-unknown', 'storage-unavailable'],
    access: 'lookup',
  },
  searchPatients: {
    method: 'POST',
    path: '/patients/search',
    group: 'patients',
    roles: ['clinician'],
    summary: 'Finds patients by birth date and the beginning of a name',
    body: schemas.searchBody,
    answer: { status: 200, description: 'The people found, 20 at most.', schema: schemas.foundPatients },
    problems: ['storage-unavailable'],
    access: 'found',
  },
  readPatient: {
    method: 'GET',
    path: '/patients/{patientRef}',
    group: 'patients',
    roles: ['clinician'],
    summary: 'Returns a patient and their care records, as the insurer sent them',
    params: schemas.patientPath,
    query: schemas.pageQuery,
    answer: { status: 200, description: 'The patient, and one page of care records.', schema: schemas.patient },
    problems: ['patient-unknown', 'care-records-changed', 'storage-unavailable'],
    access: 'read-patient',
  },
  requestPatientSync: {
    method: 'POST',
    path: '/patient-syncs',
    group: 'patients',
    roles: ['clinician', 'operator'],
    summary: 'Requests a sync of the care records of one patient, or of anybody by KVNR, or joins the sync in progress',
    body: schemas.patientSyncBody,
    answer: { status: 202, description: 'The sync is promised.', schema: schemas.requestedSync },
    problems: ['patient-unknown', 'patient-being-removed', 'sync-unavailable', 'storage-unavailable'],
    access: 'request-sync',
  },
  readLastSync: {
    method: 'GET',
    path: '/patients/{patientRef}/sync',
    group: 'patients',
    roles: ['clinician', 'operator'],
    summary: 'Returns the last sync on demand of a patient',
    params: schemas.patientPath,
    answer: { status: 200, description: 'The last sync.', schema: schemas.syncNow },
    problems: ['patient-unknown', 'no-sync-yet', 'storage-unavailable'],
    access: 'read-sync',
  },
  readDocument: {
    method: 'GET',
    path: '/documents/{token}',
    group: 'patients',
    roles: 'link',
    summary: 'Returns a document as a file, or the text of a care record, by a link from an earlier answer',
    params: schemas.documentPath,
    query: schemas.documentQuery,
    answer: {
      status: 302,
      description:
        'Redirects to the file, with its media type, its name and its SHA-256 (`x-amz-meta-repr-digest`, RFC 9530). It may be read in ranges. The address is valid for one minute.',
    },
    problems: ['document-unknown', 'link-expired', 'storage-unavailable'],
    access: 'read-document',
  },
  readAccessLog: {
    method: 'GET',
    path: '/patients/{patientRef}/access-log',
    group: 'access-log',
    roles: ['auditor'],
    summary: "Returns a patient's access log",
    params: schemas.patientPath,
    query: schemas.accessLogQuery,
    answer: { status: 200, description: 'One page of entries.', schema: schemas.accessLog, fhir: schemas.auditBundle },
    problems: ['storage-unavailable'],
    access: 'read-access-log',
  },
  verifyAccessLog: {
    method: 'GET',
    path: '/patients/{patientRef}/access-log/verification',
    group: 'access-log',
    roles: ['auditor'],
    summary: "Verifies that a patient's access log is complete and unchanged",
    params: schemas.patientPath,
    answer: { status: 200, description: 'The result of the verification.', schema: schemas.verification },
    problems: ['storage-unavailable'],
    access: 'verify-access-log',
  },
  reportAccessLog: {
    method: 'POST',
    path: '/patients/{patientRef}/access-log/report',
    group: 'access-log',
    roles: ['auditor'],
    summary: 'Makes a document for the patient, in plain words, of who has accessed their data',
    params: schemas.patientPath,
    body: schemas.accessReportBody,
    answer: {
      status: 200,
      description: 'The report. The link is valid for five minutes.',
      schema: schemas.accessReport,
    },
    problems: ['patient-unknown', 'report-too-large', 'storage-unavailable'],
    access: 'report-access-log',
  },
  checkAccessLogs: {
    method: 'POST',
    path: '/access-logs/check',
    group: 'access-log',
    roles: ['auditor'],
    summary: 'Starts a check of all access logs, or joins the check in progress',
    answer: { status: 202, description: 'The check is in progress.', schema: schemas.startedCheck },
    problems: ['unavailable'], // without Temporal
  },
  readAccessLogCheck: {
    method: 'GET',
    path: '/access-logs/check',
    group: 'access-log',
    roles: ['auditor'],
    summary: 'Returns the last check of all access logs',
    answer: { status: 200, description: 'The last check, if there was one.', schema: schemas.accessLogCheck },
    problems: ['storage-unavailable'],
  },
  readFhirMetadata: {
    method: 'GET',
    path: '/fhir/metadata',
    group: 'fhir',
    roles: 'anyone',
    summary: 'Returns what the FHIR API can do (CapabilityStatement)',
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The CapabilityStatement.', fhir: schemas.fhirResource('CapabilityStatement') },
    problems: [],
  },
  readFhirStructureDefinition: {
    method: 'GET',
    path: '/fhir/StructureDefinition/{name}',
    group: 'fhir',
    roles: 'anyone',
    summary: 'Returns the definition of an extension of ours',
    params: schemas.structureDefinitionPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The definition.', fhir: schemas.fhirResource('StructureDefinition') },
    problems: [],
  },
  readFhirCodeSystem: {
    method: 'GET',
    path: '/fhir/CodeSystem/{name}',
    group: 'fhir',
    roles: 'anyone',
    summary: 'Returns a code system of ours',
    params: schemas.codeSystemPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The code system.', fhir: schemas.fhirResource('CodeSystem') },
    problems: [],
  },
  readFhirPatient: {
    method: 'GET',
    path: '/fhir/Patient/{patientRef}',
    group: 'fhir',
    roles: ['clinician'],
    summary: 'Returns a patient as FHIR R4',
    params: schemas.patientPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The Patient.', fhir: schemas.fhirResource('Patient') },
    problems: ['patient-unknown', 'storage-unavailable'],
    access: 'read-patient',
  },
  searchFhirPatients: {
    method: 'POST',
    path: '/fhir/Patient/_search',
    group: 'fhir',
    roles: ['clinician'],
    summary: 'Finds a patient by KVNR, which no URL may contain',
    query: schemas.fhirQuery,
    body: schemas.fhirPatientSearch,
    bodyType: 'form',
    answer: { status: 200, description: 'A Bundle with the Patient, or without.', fhir: schemas.fhirBundle },
    problems: ['storage-unavailable'],
    access: 'read-patient',
  },
  readFhirEverything: {
    method: 'GET',
    path: '/fhir/Patient/{patientRef}/$everything',
    group: 'fhir',
    roles: ['clinician', 'integration'], // integration reads whom a change names
    summary: 'Returns a patient with their insurance, Versorgungen and documents as FHIR R4',
    params: schemas.patientPath,
    query: schemas.fhirPageQuery,
    answer: { status: 200, description: 'One page, as a Bundle.', fhir: schemas.fhirBundle },
    problems: ['patient-unknown', 'care-records-changed', 'storage-unavailable'],
    access: 'read-patient',
  },
  readFhirCoverage: {
    method: 'GET',
    path: '/fhir/Coverage/{patientRef}',
    group: 'fhir',
    roles: ['clinician'],
    summary: "Returns a patient's insurance as FHIR R4",
    params: schemas.patientPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The Coverage.', fhir: schemas.fhirResource('Coverage') },
    problems: ['patient-unknown', 'storage-unavailable'],
    access: 'read-patient',
  },
  searchFhirCoverages: {
    method: 'GET',
    path: '/fhir/Coverage',
    group: 'fhir',
    roles: ['clinician'],
    summary: "Finds a patient's insurance",
    query: schemas.fhirPatientQuery,
    answer: { status: 200, description: 'A Bundle with the Coverage, or without.', fhir: schemas.fhirBundle },
    problems: ['patient-unknown', 'storage-unavailable'],
    access: 'read-patient',
  },
  readFhirEpisode: {
    method: 'GET',
    path: '/fhir/EpisodeOfCare/{id}',
    group: 'fhir',
    roles: ['clinician'],
    summary: 'Returns a Versorgung as FHIR R4',
    params: schemas.fhirPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The EpisodeOfCare.', fhir: schemas.fhirResource('EpisodeOfCare') },
    problems: ['patient-unknown', 'resource-unknown', 'storage-unavailable'],
    access: 'read-patient',
  },
  searchFhirEpisodes: {
    method: 'GET',
    path: '/fhir/EpisodeOfCare',
    group: 'fhir',
    roles: ['clinician'],
    summary: "Finds a patient's Versorgungen",
    query: schemas.fhirPatientPageQuery,
    answer: { status: 200, description: 'One page, as a Bundle.', fhir: schemas.fhirBundle },
    problems: ['patient-unknown', 'care-records-changed', 'storage-unavailable'],
    access: 'read-patient',
  },
  readFhirDocument: {
    method: 'GET',
    path: '/fhir/DocumentReference/{id}',
    group: 'fhir',
    roles: ['clinician'],
    summary: 'Returns what is known of a document as FHIR R4',
    params: schemas.fhirPath,
    query: schemas.fhirQuery,
    answer: { status: 200, description: 'The DocumentReference.', fhir: schemas.fhirResource('DocumentReference') },
    problems: ['patient-unknown', 'resource-unknown', 'storage-unavailable'],
    access: 'read-patient',
  },
  searchFhirDocuments: {
    method: 'GET',
    path: '/fhir/DocumentReference',
    group: 'fhir',
    roles: ['clinician'],
    summary: "Finds a patient's documents",
    query: schemas.fhirPatientPageQuery,
    answer: { status: 200, description: 'One page, as a Bundle.', fhir: schemas.fhirBundle },
    problems: ['patient-unknown', 'care-records-changed', 'storage-unavailable'],
    access: 'read-patient',
  },
  readFhirBinary: {
    method: 'GET',
    path: '/fhir/Binary/{id}',
    group: 'fhir',
    roles: ['clinician'],
    summary: 'Returns the content of a document',
    params: schemas.fhirPath,
    query: schemas.fhirQuery,
    answer: {
      status: 200,
      description: 'The Binary, if the caller accepts application/fhir+json.',
      fhir: schemas.fhirResource('Binary'),
      location: 'Redirects to the content itself, if the caller does not accept application/fhir+json.',
    },
    problems: ['patient-unknown', 'resource-unknown', 'document-not-in-fhir', 'storage-unavailable'],
    access: 'read-document',
  },
  searchFhirAuditEvents: {
    method: 'GET',
    path: '/fhir/AuditEvent',
    group: 'fhir',
    roles: ['auditor'],
    summary: "Returns a patient's access log as FHIR R4",
    query: schemas.fhirPatientPageQuery,
    answer: { status: 200, description: 'One page, as a Bundle of AuditEvents.', fhir: schemas.auditBundle },
    problems: ['storage-unavailable'],
    access: 'read-access-log',
  },
  readChanges: {
    method: 'GET',
    path: '/changes',
    group: 'changes',
    roles: ['integration'],
    summary: 'Returns what has changed in patients since a cursor, in order per patient',
    query: schemas.changesQuery,
    answer: { status: 200, description: 'One page of changes, and where to go on.', schema: schemas.changes },
    problems: ['cursor-too-old', 'storage-unavailable'],
  },
  startExport: {
    method: 'POST',
    path: '/exports',
    group: 'exports',
    roles: ['integration'],
    summary: 'Starts an export of all patients as FHIR R4, in files with NDJSON',
    answer: { status: 202, description: 'The export is in progress.', schema: schemas.exportStatus },
    problems: ['export-in-progress', 'storage-unavailable', 'unavailable'], // the last one without Temporal
  },
  listExports: {
    method: 'GET',
    path: '/exports',
    group: 'exports',
    roles: ['integration', 'operator'],
    summary: 'Lists exports, newest first',
    answer: { status: 200, description: 'The exports.', schema: schemas.exportList },
    problems: ['storage-unavailable'],
  },
  readExport: {
    method: 'GET',
    path: '/exports/{exportId}',
    group: 'exports',
    roles: ['integration', 'operator'],
    summary: 'Returns the progress of an export, and its files once it is completed',
    params: schemas.exportPath,
    answer: { status: 200, description: 'The export.', schema: schemas.exportStatus },
    problems: ['export-unknown', 'storage-unavailable'],
  },
  pauseExport: {
    method: 'POST',
    path: '/exports/{exportId}/pause',
    group: 'exports',
    roles: ['integration', 'operator'],
    summary: 'Pauses an export, after the batch in progress',
    params: schemas.exportPath,
    answer: { status: 200, description: 'The export is paused.', schema: schemas.exportStatus },
    problems: ['export-unknown', 'export-ended', 'storage-unavailable', 'unavailable'],
  },
  resumeExport: {
    method: 'POST',
    path: '/exports/{exportId}/resume',
    group: 'exports',
    roles: ['integration', 'operator'],
    summary: 'Resumes a paused export where it stopped',
    params: schemas.exportPath,
    answer: { status: 200, description: 'The export goes on.', schema: schemas.exportStatus },
    problems: ['export-unknown', 'export-ended', 'storage-unavailable', 'unavailable'],
  },
  cancelExport: {
    method: 'POST',
    path: '/exports/{exportId}/cancel',
    group: 'exports',
    roles: ['integration', 'operator'],
    summary: 'Cancels an export, or deletes the files of a completed one',
    params: schemas.exportPath,
    answer: {
      status: 200,
      description: 'The export is cancelled. Its files will be deleted.',
      schema: schemas.exportStatus,
    },
    problems: ['export-unknown', 'export-ended', 'storage-unavailable', 'unavailable'],
  },
  decodePayloads: {
    method: 'POST',
    path: '/codec/decode',
    group: 'codec',
    roles: ['operator'],
    summary: "Decrypts payloads of workflows (Temporal's remote codec protocol), for the Temporal UI and CLI",
    body: schemas.codecPayloads,
    bodyMaxBytes: 1024 * 1024, // our payloads have 64 KiB at most, and an event has a few payloads
    answer: { status: 200, description: 'The payloads, in the same order.', schema: schemas.codecPayloads },
    problems: ['payload-unreadable'],
    access: 'read-workflow-payload',
  },
  readOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    group: 'openapi',
    roles: 'anyone',
    summary: 'Returns the description of this API as OpenAPI 3.1',
    answer: { status: 200, description: 'The OpenAPI 3.1 document.', schema: schemas.openApi },
    problems: [],
  },
} as const satisfies Record<string, Operation>;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

/** Returns all problems that an operation may return: its own, and those that follow from its roles, body and access. */
export const problemsOf = ({ roles, body, access, problems }: Operation): ProblemName[] => [
  ...new Set<ProblemName>([
    'invalid-request',
    ...(Array.isArray(roles) ? (['unauthenticated', 'forbidden'] as const) : []),
    ...(body ? (['body-too-large', 'unsupported-media-type'] as const) : []),
    ...problems,
    'too-many-requests',
    'internal',
    'unavailable',
    ...(access ? (['access-log-unavailable'] as const) : []),
  ]),
];
