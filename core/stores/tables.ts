import { defaultDeployment } from '../contract/deployment.ts';

/** The physical names of the tables of a deployment (docs/explanation/architecture.md, "Tables"). */
export interface Tables {
  readonly patients: string;
  readonly careRecords: string;
  readonly accessLog: string;
  readonly line: string;
  readonly syncRuns: string;
  readonly changes: string;
}

/**
 * Returns the tables of a deployment. Those of the default deployment have no prefix, because 0.2.0 has created them so. A
 * table under another name would be empty, and a second line would be open (ADR 0064).
 */
export function tablesOf(deployment: string): Tables {
  const prefix = deployment === defaultDeployment ? '' : `${deployment}-`;
  return {
    patients: `${prefix}Patients`,
    careRecords: `${prefix}CareRecords`,
    accessLog: `${prefix}AuditLog`,
    line: `${prefix}Line`,
    syncRuns: `${prefix}SyncRuns`,
    changes: `${prefix}Changes`,
  };
}

/** The tables of an account that holds no other deployment. */
export const defaultTables = tablesOf(defaultDeployment);

/** The index of the table Patients by which a search finds people (ADR 0076). */
export const birthIndex = 'ByBirthDate';
