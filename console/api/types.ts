import type { z } from 'zod';
import type { ProblemName } from '../../lambdas/http/problems.ts';
import type * as schemas from '../../lambdas/http/schemas.ts';

/** The API's answers: types of the schemas that the API validates them with. */
export type Line = z.output<typeof schemas.line>;
export type LineWithChanges = z.output<typeof schemas.lineWithChanges>;
export type Progress = z.output<typeof schemas.progress>;
export type Transfer = NonNullable<Progress['transfers']>[number];
export type Issue = z.output<typeof schemas.issues>['issues'][number];
export type InsurerProblem = z.output<typeof schemas.insurerReport>['problems'][number];
export type Acknowledgement = z.output<typeof schemas.acknowledgement>;
export type LastSync = z.output<typeof schemas.lastSync>;
export type SyncNow = z.output<typeof schemas.syncNow>;
export type FoundPatients = z.output<typeof schemas.foundPatients>;
export type RequestedSync = z.output<typeof schemas.requestedSync>;
export type PatientPage = z.output<typeof schemas.patient>;
export type AccessLogPage = z.output<typeof schemas.accessLog>;
export type AccessEntry = AccessLogPage['entries'][number];
export type AccessLogCheck = NonNullable<z.output<typeof schemas.accessLogCheck>['check']>;
export type AccessReport = z.output<typeof schemas.accessReport>;
export type Export = z.output<typeof schemas.exportStatus>;
export type ExportFile = NonNullable<Export['output']>[number];
export type Verification = z.output<typeof schemas.verification>;
export type { ProblemName };
