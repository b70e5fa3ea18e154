/** Task queue of all workflows, and of the short activities that do not call the insurer. */
export const syncTaskQueue = 'sync';
/**
 * Task queue of the long activities of a daily sync about lists and all patients. They have slots of their own, so that
 * pauses, access entries and syncs on demand always find a slot on `syncTaskQueue`.
 */
export const bulkTaskQueue = 'sync-bulk';
/** Task queue of the activities that call the insurer for a daily sync. */
export const lineTaskQueue = 'insurer-line';
/** Task queue of the activities that call the insurer for a person who waits. */
export const urgentLineTaskQueue = 'insurer-line-urgent';

export const dailySyncId = (insurerId: string): string => `daily-sync:${insurerId}`;
export const accessLogCheckId = (insurerId: string): string => `access-log-check:${insurerId}`;
/** A refresh belongs to the run that it follows. */
export const careRefreshId = (runId: string): string => `care-refresh:${runId}`;
export const exportWorkflowId = (exportId: string): string => `export:${exportId}`;
export const insurerLineId = (insurerId: string): string => `insurer-line:${insurerId}`;
export const patientRecordId = (patientRef: string): string => `patient:${patientRef}`;
