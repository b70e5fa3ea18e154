import { createHmac, type KeyObject } from 'node:crypto';
import { identityText } from '../domain/identity.ts';
import type { Kvnr } from '../domain/kvnr.ts';

/**
 * Returns the pseudonym that replaces a KVNR everywhere except in the Patients table: HMAC-SHA-256(PSEUDONYM_KEY,
 * KVNR), truncated to 128 bits, as 32 hex digits (docs/glossary.md).
 * @param pseudonymKey pass a KeyObject for many calls, which is five times faster
 */
export function patientRefOf(kvnr: Kvnr, pseudonymKey: Buffer | KeyObject): string {
  return createHmac('sha256', pseudonymKey).update(kvnr, 'utf8').digest('hex').slice(0, 32);
}

/**
 * Returns a hash of name, birth date and address: HMAC-SHA-256 with the pseudonym key, truncated to 128 bits, as 32 hex
 * digits. Two entries of one person have the same. Returns undefined if the entry lacks any of these fields. The text is
 * longer than a KVNR, so the hash is no pseudonym.
 * @param body the entry as JSON text
 */
export function identityOf(body: string, pseudonymKey: Buffer | KeyObject): string | undefined {
  const text = identityText(body);
  if (text === undefined) return undefined;
  return createHmac('sha256', pseudonymKey).update(`epa-sync: identity ${text}`, 'utf8').digest('hex').slice(0, 32);
}

/**
 * Returns what names an entry of the list without a readable KVNR, by its text, as 32 hex digits. The text that is hashed is
 * longer than a KVNR, so the hash is no pseudonym.
 */
export const entryRefOf = (text: string, pseudonymKey: Buffer | KeyObject): string =>
  createHmac('sha256', pseudonymKey).update(`epa-sync: entry ${text}`, 'utf8').digest('hex').slice(0, 32);

/**
 * Returns the mark of a key, which identifies the key but does not reveal it. The text is longer than a KVNR, so it is
 * no pseudonym.
 */
export const markOf = (pseudonymKey: Buffer): string =>
  createHmac('sha256', pseudonymKey).update('epa-sync: the key of all pseudonyms', 'utf8').digest('hex');
