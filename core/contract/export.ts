import type { ExportFailure } from '../domain/export.ts';

export const exportWorkflow = 'exportPatients';
/** Wakes the workflow. What has changed is in the table. */
export const exportChangedSignal = 'exportChanged';

/** Of the workflow, its signal and its activities: everything else is in the table. */
export interface ExportInput {
  readonly insurerId: string;
  readonly exportId: string;
}

/** How an export goes on. */
export interface ExportNext {
  /** time until it is to be carried on; 0: immediately; absent: nothing is left to do */
  readonly waitSeconds?: number;
}

export interface ExportActivities {
  /**
   * Carries an export on, as far as the table says: writes a batch, or deletes the files of an export that has ended without
   * them or whose time is over. Can be repeated at any point.
   */
  carryOnExport(input: ExportInput): Promise<ExportNext>;
  /** Ends an export that is still in progress as failed, or as cancelled. */
  endExport(input: ExportInput & { readonly failure?: ExportFailure }): Promise<void>;
}
