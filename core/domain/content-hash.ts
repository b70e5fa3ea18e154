import { hash } from 'node:crypto';
import { isRawNumber } from '../json/lossless.ts';

/**
 * Returns the SHA-256, in hex, of an entry's content. Fields are sorted by name at every depth, so their order does not
 * matter. Numbers are hashed as they were written, so `1.0` instead of `1` is a change.
 * @param value a result of `parseLossless`
 */
export const contentHash = (value: unknown): string => hash('sha256', canonicalText(value), 'hex');

function canonicalText(value: unknown): string {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`).join(',')}}`;
}
