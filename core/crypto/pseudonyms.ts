import { createHmac, type KeyObject } from 'node:crypto';
import type { Kvnr } from '../domain/kvnr.ts';

/**
 * The pseudonym that stands for a KVNR everywhere but in the Patients table: HMAC-SHA-256(PSEUDONYM_KEY, KVNR), cut to
 * 128 bits, as 32 hex digits (docs/glossary.md).
 * @param pseudonymKey for many, a KeyObject: five times faster
 */
export function patientRefOf(kvnr: Kvnr, pseudonymKey: Buffer | KeyObject): string {
  return createHmac('sha256', pseudonymKey).update(kvnr, 'utf8').digest('hex').slice(0, 32);
}

/** What a key can be known by, and nothing of it be learned: of no KVNR, as it is longer than any. */
export const markOf = (pseudonymKey: Buffer): string =>
  createHmac('sha256', pseudonymKey).update('epa-sync: the key of all pseudonyms', 'utf8').digest('hex');
