import type { PatientsStore } from '../../core/stores/patients.ts';
import { createEndSync, type EndSync } from './end-sync.ts';

/** Returns an EndSync that tells nobody. */
export const endSyncIn = (patients: Pick<PatientsStore, 'endSync'>): EndSync =>
  createEndSync({ patients, log: { info() {}, warn() {}, error() {} }, onSyncEnded() {} });
