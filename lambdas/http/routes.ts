import type { z } from 'zod';
import type { AccessOperation, Role } from '../../core/domain/access.ts';
import type { ProblemName } from './problems.ts';
import * as schemas from './schemas.ts';

/** One Lambda each, by what it may do: lambdas/functions/{group}.ts. */
export const groups = ['sync', 'line', 'patients', 'access-log', 'codec', 'openapi'] as const;
export type Group = (typeof groups)[number];

/** One operation of the API: what its route, its roles, its validation and its page in /openapi.json are made of. */
export interface Operation {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly group: Group;
  /** whose token may; `link`: the path itself is the permission, and needs no token; `anyone` */
  readonly roles: readonly Role[] | 'link' | 'anyone';
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** 16 KiB when absent */
  readonly bodyMaxBytes?: number;
  readonly answer: Success;
  /** besides those that any operation may answer */
  readonly problems: readonly ProblemName[];
  /** it concerns patients: each attempt at the one whom the request names is recorded as this, and whom else an answer names */
  readonly access?: AccessOperation;
}

export interface Success {
  readonly status: 200 | 202 | 302;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** the same as FHIR, for who accepts application/fhir+json */
  readonly fhir?: z.ZodType;
}

/** The one table of all operations (docs/guides/api-with-curl.md). Imports schemas only: the stack makes its routes of it. */
export const operations = {
  startSync: {
    method: 'POST',
    path: '/sync',
    group: 'sync',
    roles: ['operator'],
    summary: 'Starts a run; joins the one that is under way',
    answer: { status: 202, description: 'the run', schema: schemas.startedRun },
    problems: ['sync-unavailable'],
  },
  readProgress: {
    method: 'GET',
    path: '/sync',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'Progress of the run under way, or of the last one',
    answer: { status: 200, description: 'the progress', schema: schemas.progress },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  listRuns: {
    method: 'GET',
    path: '/sync/runs',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'Past runs, newest first',
    query: schemas.pageQuery,
    answer: { status: 200, description: 'one page of runs', schema: schemas.runs },
    problems: ['storage-unavailable'],
  },
  listRunSamples: {
    method: 'GET',
    path: '/sync/samples',
    group: 'sync',
    roles: ['operator', 'management'],
    summary: 'How the run under way, or the last one, has gone: counts over time',
    answer: { status: 200, description: 'the samples', schema: schemas.runSamples },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  listIssues: {
    method: 'GET',
    path: '/sync/issues',
    group: 'sync',
    roles: ['operator'],
    summary: 'What a person should look at: quarantined entries and failed patients of a run',
    query: schemas.issuesQuery,
    answer: { status: 200, description: 'one page of issues', schema: schemas.issues },
    problems: ['no-run-yet', 'storage-unavailable'],
  },
  decideRemovals: {
    method: 'POST',
    path: '/sync/removals',
    group: 'sync',
    roles: ['operator'],
    summary: 'Approves or rejects the removals that wait for a decision',
    body: schemas.removalsBody,
    answer: { status: 200, description: 'decided; the progress', schema: schemas.progress },
    problems: ['no-run-under-way', 'no-decision-awaited', 'removals-changed', 'sync-unavailable'],
  },
  cancelSync: {
    method: 'POST',
    path: '/sync/cancel',
    group: 'sync',
    roles: ['operator'],
    summary: 'Cancels the run under way; what it had begun is undone',
    body: schemas.reasonBody,
    answer: { status: 202, description: 'the run is asked to end', schema: schemas.cancelling },
    problems: ['no-run-under-way', 'sync-unavailable'],
  },
  readLine: {
    method: 'GET',
    path: '/line',
    group: 'line',
    roles: ['operator', 'management'],
    summary: 'The line to the insurer, and its changes',
    answer: { status: 200, description: 'the line', schema: schemas.lineWithChanges },
    problems: ['line-unknown', 'line-unavailable'],
  },
  pauseLine: {
    method: 'POST',
    path: '/line/pause',
    group: 'line',
    roles: ['operator'],
    summary: 'Pauses the line; answers once it is silent',
    body: schemas.reasonBody,
    answer: { status: 200, description: 'the line is paused and silent', schema: schemas.line },
    problems: ['line-unknown', 'line-superseded', 'line-not-silent', 'line-unavailable'],
  },
  resumeLine: {
    method: 'POST',
    path: '/line/resume',
    group: 'line',
    roles: ['operator'],
    summary: 'Resumes the line',
    body: schemas.reasonBody,
    answer: { status: 200, description: 'the line is open', schema: schemas.line },
    problems: ['line-unknown', 'line-superseded', 'line-unavailable'],
  },
  lookUpPatient: {
    method: 'POST',
    path: '/patients/lookup',
    group: 'patients',
    roles: ['clinician', 'operator', 'auditor'],
    summary: "Finds a patient's pseudonym; for an auditor also that of whoever is not stored, or no more",
    body: schemas.lookupBody,
    answer: { status: 200, description: 'the patient', schema: schemas.foundPatient },
    problems: ['patient-unknown', 'storage-unavailable'],
    access: 'lookup',
  },
  readPatient: {
    method: 'GET',
    path: '/patients/{patientRef}',
    group: 'patients',
    roles: ['clinician'],
    summary: 'A patient with their care records as the insurer sent them',
    params: schemas.patientPath,
    query: schemas.pageQuery,
    answer: { status: 200, description: 'the patient, and one page of care records', schema: schemas.patient },
    problems: ['patient-unknown', 'care-records-changed', 'storage-unavailable'],
    access: 'read-patient',
  },
  requestPatientSync: {
    method: 'POST',
    path: '/patient-syncs',
    group: 'patients',
    roles: ['clinician', 'operator'],
    summary: "Asks for a fresh sync of one patient's care records; joins one that is under way",
    body: schemas.patientSyncBody,
    answer: { status: 202, description: 'the sync will be done', schema: schemas.requestedSync },
    problems: ['patient-unknown', 'sync-unavailable', 'storage-unavailable'],
    access: 'request-sync',
  },
  readLastSync: {
    method: 'GET',
    path: '/patients/{patientRef}/sync',
    group: 'patients',
    roles: ['clinician', 'operator'],
    summary: 'What became of the last sync that somebody asked for',
    params: schemas.patientPath,
    answer: { status: 200, description: 'the last sync', schema: schemas.syncNow },
    problems: ['patient-unknown', 'no-sync-yet', 'storage-unavailable'],
    access: 'read-sync',
  },
  readDocument: {
    method: 'GET',
    path: '/documents/{token}',
    group: 'patients',
    roles: 'link',
    summary: "A document's content, by the link that an answer held",
    params: schemas.documentPath,
    answer: { status: 302, description: 'where the content can be fetched, for a minute' },
    problems: ['document-unknown', 'link-expired', 'storage-unavailable'],
    access: 'read-document',
  },
  readAccessLog: {
    method: 'GET',
    path: '/patients/{patientRef}/access-log',
    group: 'access-log',
    roles: ['auditor'],
    summary: "Who has seen what of a patient's data",
    params: schemas.patientPath,
    query: schemas.accessLogQuery,
    answer: { status: 200, description: 'one page of entries', schema: schemas.accessLog, fhir: schemas.auditBundle },
    problems: ['storage-unavailable'],
    access: 'read-access-log',
  },
  verifyAccessLog: {
    method: 'GET',
    path: '/patients/{patientRef}/access-log/verification',
    group: 'access-log',
    roles: ['auditor'],
    summary: 'Whether the log is whole and unchanged',
    params: schemas.patientPath,
    answer: { status: 200, description: 'whether its chain holds', schema: schemas.verification },
    problems: ['storage-unavailable'],
    access: 'verify-access-log',
  },
  decodePayloads: {
    method: 'POST',
    path: '/codec/decode',
    group: 'codec',
    roles: ['operator'],
    summary: "Decrypts what Temporal keeps of a workflow: Temporal's remote codec protocol, for its page and its CLI",
    body: schemas.codecPayloads,
    bodyMaxBytes: 1024 * 1024, // Temporal holds 64 KiB of ours in a payload at most, and some of them in an event
    answer: { status: 200, description: 'the payloads, in their order', schema: schemas.codecPayloads },
    problems: ['payload-unreadable'],
    access: 'read-workflow-payload',
  },
  readOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    group: 'openapi',
    roles: 'anyone',
    summary: 'This API, as OpenAPI 3.1',
    answer: { status: 200, description: 'OpenAPI 3.1', schema: schemas.openApi },
    problems: [],
  },
} as const satisfies Record<string, Operation>;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

/** All problems that an operation may answer: its own, and those that come with what it is. */
export const problemsOf = ({ roles, body, access, problems }: Operation): ProblemName[] => [
  'invalid-request',
  ...(Array.isArray(roles) ? (['unauthenticated', 'forbidden'] as const) : []),
  ...(body ? (['body-too-large', 'unsupported-media-type'] as const) : []),
  ...problems,
  'too-many-requests',
  'internal',
  'unavailable',
  ...(access ? (['access-log-unavailable'] as const) : []),
];
