/** Task queue of workflows and of the activities that do not talk to the insurer. */
export const syncTaskQueue = 'sync';
/** Task queues of the activities that talk to the insurer: bulk work, and people who wait. */
export const lineTaskQueue = 'insurer-line';
export const urgentLineTaskQueue = 'insurer-line-urgent';

export const dailySyncId = (insurerId: string): string => `daily-sync:${insurerId}`;
export const insurerLineId = (insurerId: string): string => `insurer-line:${insurerId}`;
export const patientRecordId = (patientRef: string): string => `patient:${patientRef}`;
